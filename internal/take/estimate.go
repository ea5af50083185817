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

// An Estimate is the expected cost of a take.
type Estimate struct {
	Objects int64  `json:"objects"` // records to list: all versions if they are reported
	Basis   string `json:"basis"`   // source of that number
	Exact   bool   `json:"exact"`   // it was counted

	PageSize int           `json:"pageSize"` // rows that the store returns per request
	PageTime time.Duration `json:"pageTimeNs"`
	Probes   int           `json:"probes"` // requests that the estimate made

	Calls int64         `json:"calls"`  // listing requests of the take
	Time  time.Duration `json:"timeNs"` // of all requests, with Requests at once or at the rate

	// For columns that listings lack: how many requests about objects they need at
	// most, and how long those about one object took.
	Requests   int64         `json:"requests"`
	ObjectTime time.Duration `json:"objectTimeNs,omitempty"`

	Unavailable []stocktake.Field `json:"unavailable,omitempty"` // columns that the store does not have
}

// A Pace limits how fast a store may be listed.
type Pace struct {
	Requests  int     // concurrent, at least 1
	PerSecond float64 // 0: no limit

	// PerObject is how many requests per object the columns need.
	PerObject int
}

// Guess estimates the cost of job. It reads two pages, and the summary of the last
// report if the destination has one. Without a summary, and if objects is 0, it
// probes some thirty places of the key space and counts the keys between them; this
// count is wrong for keys in few dense clusters. Destination may be nil.
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
	e.Requests = e.Objects * int64(pace.PerObject)
	atOnce := func(n int64) float64 { return float64(min(int64(max(pace.Requests, 1)), max(n, 1))) }
	e.Time = time.Duration(float64(e.PageTime)*float64(e.Calls)/atOnce(e.Calls) + float64(e.ObjectTime)*float64(e.Objects)/atOnce(e.Objects))
	if pace.PerSecond > 0 {
		e.Time = max(e.Time, time.Duration(float64(e.Calls+e.Requests)/pace.PerSecond*float64(time.Second)))
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
	if err := e.details(ctx, snap, cfg.Columns(), s.sample); err != nil {
		return nil, err
	}
	if !all {
		if e.Objects, e.Basis, err = known(ctx, snap, job, objects); err != nil {
			return nil, err
		}
	}
	if e.Objects < 0 {
		if e.Objects, err = s.count(first); err != nil {
			return nil, err
		}
		e.Basis = fmt.Sprintf("estimated from %d places in the key space", s.probes)
	}
	e.PageSize, e.Probes, e.PageTime = s.page, e.Probes+s.probes, s.spent/time.Duration(max(s.probes, 1))
	return e, nil
}

// details asks about one object, as the take would about each, if the columns
// require it.
func (e *Estimate) details(ctx context.Context, snap engine.Snapshot, columns []stocktake.Field, sample []stocktake.Record) error {
	detailed, ok := snap.(engine.DetailedSnapshot)
	if !ok {
		return nil
	}
	var fetched []stocktake.Field
	for _, f := range columns {
		if detailed.Availability(f) == engine.Fetched {
			fetched = append(fetched, f)
		}
	}
	if len(fetched) > 0 && len(sample) > 0 {
		begin := time.Now()
		if err := detailed.Fetch(ctx, sample, fetched, func(int) bool { return true }); err != nil {
			return err
		}
		e.ObjectTime = time.Since(begin)
		e.Probes++
	}
	for _, f := range columns { // the store may not support a request
		if detailed.Availability(f) == engine.Unavailable {
			e.Unavailable = append(e.Unavailable, f)
		}
	}
	return nil
}

// known returns the number of objects and its source, or -1 if no source has it.
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
