package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
)

// A RunPlan describes a run before it is scanned. It is kept as JSON.
type RunPlan struct {
	Start       time.Time             // of the snapshot it was made from
	Consistency stocktake.Consistency // of the source
	Expected    int64                 // records to be read, as far as is known; 0: not known

	// Journal is the position of the bucket's journal at Start; nil if it has none.
	Journal *stocktake.JournalPosition `json:",omitempty"`

	// Slices are the segments, each as one slice, ascending. There is at least one.
	Slices []Slice
}

// Plan divides the keys that the configuration of job selects into segments: at the
// bounds of the last report's shards if there is such a report with enough shards,
// else at keys that the source proposes. It writes nothing. Errors are those of src
// and dst, wrapped, and [*SpaceError] if a report of the last report's size would not
// fit.
func Plan(ctx context.Context, src Source, dst Destination, job Job, opts Options) (_ RunPlan, err error) {
	r, err := newRun(dst, job, opts)
	if err != nil {
		return RunPlan{}, err
	}
	snap, err := src.Snapshot(ctx, job.Bucket)
	if err != nil {
		return RunPlan{}, fmt.Errorf("plan %s: %w", job.Bucket, err)
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	_, paged := r.paged(snap)
	o, _, err := r.plan(ctx, snap, !(opts.Whole && paged))
	if err != nil {
		return RunPlan{}, fmt.Errorf("plan %s: %w", job.Bucket, err)
	}
	return o, nil
}

// plan also returns the summary of the last report, if it has read it. Without
// cut there is one slice.
func (r *run) plan(ctx context.Context, snap Snapshot, cut bool) (RunPlan, *stocktake.Summary, error) {
	prefix := r.job.Configuration.Filter.Prefix
	count, err := snap.Count(ctx, prefix)
	if err != nil {
		return RunPlan{}, nil, fmt.Errorf("count: %w", err)
	}
	if count < 0 && r.job.Expected > 0 {
		count = r.job.Expected
	}
	workers := r.opts.Workers
	if r.job.Seed != "" {
		workers = seededWorkers
	}
	least := r.opts.MinSegment
	pages, paged := r.paged(snap)
	if paged {
		least = min(least, pagedSegment)
	}
	n := segments(count, workers, least, r.opts.Limits.Rows)
	var previous *stocktake.Summary
	if (n > 1 || !cut) && r.job.Seed == "" {
		previous = r.previous(ctx)
	}
	if err := r.fits(ctx, count, previous); err != nil {
		if err.Last {
			return RunPlan{}, nil, err
		}
		r.log.Warn("the report may not fit", "err", err)
	}
	if !cut {
		n = 1
	}
	segs, err := plan(prefix, n, previous, func(n int) ([]string, error) {
		if paged {
			return survey(ctx, pages, prefix, r.job.Configuration.IncludedObjectVersions == stocktake.AllVersions, n)
		}
		return snap.Split(ctx, prefix, n)
	})
	if err != nil {
		return RunPlan{}, nil, err
	}
	o := RunPlan{Start: snap.Time(), Consistency: snap.Consistency(), Expected: max(count, 0), Journal: journalOf(snap)}
	for i, seg := range segs {
		o.Slices = append(o.Slices, Slice{Segment: seg, Number: i, Large: paged && len(segs) > 1, Start: r.start(&o)})
	}
	return o, previous, nil
}

// start returns the time that the summary of the run states as its start.
func (r *run) start(o *RunPlan) time.Time {
	if r.job.Seed != "" {
		return seededStart(&r.job)
	}
	return o.Start.UTC()
}
