package take

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
)

// An Estimate says what a take would cost.
type Estimate struct {
	Objects int64  `json:"objects"` // records to be listed: all versions if they are asked for
	Basis   string `json:"basis"`   // where that number is from
	Exact   bool   `json:"exact"`   // it was counted

	PageSize int           `json:"pageSize"` // rows that the store gives a request
	PageTime time.Duration `json:"pageTimeNs"`
	Probes   int           `json:"probes"` // requests that the estimate has made

	Calls int64         `json:"calls"`  // listing requests of the take
	Time  time.Duration `json:"timeNs"` // with Requests at once, or at the rate
}

// A Pace is how fast a store may be listed.
type Pace struct {
	Requests  int     // at once, at least 1
	PerSecond float64 // 0: no limit
}

// Guess estimates the take of job. It reads two pages, and the summary of the last
// report if the destination has one; without that, and if objects is 0, it
// probes some thirty places of the key space and counts the keys between them.
// Keys that come in few dense clumps are counted badly then. Destination may be
// nil.
func Guess(ctx context.Context, job Job, objects int64, pace Pace) (*Estimate, error) {
	snap, err := job.Source.Snapshot(ctx, job.Bucket)
	if err != nil {
		return nil, err
	}
	e, err := guess(ctx, snap, job, objects)
	if err := errors.Join(err, snap.Close()); err != nil {
		return nil, err
	}
	if e.PageSize > 0 {
		e.Calls = (e.Objects + int64(e.PageSize) - 1) / int64(e.PageSize)
	}
	e.Calls = max(e.Calls, 1)
	e.Time = time.Duration(float64(e.PageTime) * float64(e.Calls) / float64(min(int64(max(pace.Requests, 1)), e.Calls)))
	if pace.PerSecond > 0 {
		e.Time = max(e.Time, time.Duration(float64(e.Calls)/pace.PerSecond*float64(time.Second)))
	}
	return e, nil
}

func guess(ctx context.Context, snap engine.Snapshot, job Job, objects int64) (*Estimate, error) {
	cfg := &job.Configuration
	s := &survey{ctx: ctx, snap: snap, prefix: cfg.Filter.Prefix, versions: cfg.IncludedObjectVersions == stocktake.AllVersions}
	first, all, err := s.first()
	if err != nil {
		return nil, err
	}
	e := &Estimate{Objects: int64(len(first)), Exact: all, Basis: "counted"}
	if !all {
		if e.Objects, e.Basis, err = known(ctx, snap, job, objects); err != nil {
			return nil, err
		}
	}
	if e.Objects < 0 {
		if e.Objects, err = s.count(first); err != nil {
			return nil, err
		}
		e.Basis = fmt.Sprintf("guessed from %d places of the key space", s.probes)
	}
	e.PageSize, e.Probes, e.PageTime = s.page, s.probes, s.spent/time.Duration(max(s.probes, 1))
	return e, nil
}

// known returns how many objects there are if something says so; -1: nothing
// does.
func known(ctx context.Context, snap engine.Snapshot, job Job, objects int64) (n int64, basis string, err error) {
	if objects > 0 {
		return objects, "given", nil
	}
	if n, err := snap.Count(ctx, job.Configuration.Filter.Prefix); err != nil || n >= 0 {
		return n, "counted by the store", err
	}
	if job.Destination == nil {
		return -1, "", nil
	}
	at := report.Location{Prefix: job.Configuration.Destination.Prefix, Bucket: job.Bucket, Configuration: job.Configuration.ID}
	newest := report.Directory{}
	for d, err := range report.Directories(ctx, job.Destination, at) {
		if err != nil {
			return 0, "", err
		}
		if d.Manifest && d.Summary {
			newest = d
		}
	}
	if newest.Key == "" {
		return -1, "", nil
	}
	last, err := report.ReadSummary(ctx, job.Destination, newest.Key+report.SummaryName)
	if errors.Is(err, report.ErrMalformed) || errors.Is(err, fs.ErrNotExist) || err == nil && last.Bucket != job.Bucket {
		return -1, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	return last.Listed, "listed by the last report, of " + last.Start.Format(time.RFC3339), nil
}
