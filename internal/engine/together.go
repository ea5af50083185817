package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
)

// A Member is a run that shares a listing with others.
type Member struct {
	Destination Destination
	Job         Job
	Options     Options
}

// An Outcome is what one run came to.
type Outcome struct {
	Result Result
	Err    error
}

// RunTogether is [Run] for several runs of one bucket, which share one listing of
// all keys that any of them selects if the source is a [PagedSnapshot]: listing
// takes most of the time there. Each run writes its own report, and one that
// fails does not disturb the others; if the listing fails all do. It returns their
// outcomes in the order of the members, whose jobs have the same Bucket.
func RunTogether(ctx context.Context, src Source, members []Member) []Outcome {
	outcomes := make([]Outcome, len(members))
	var runs []*run
	var at []int // of outcomes, for each of runs
	for i := range members {
		m := &members[i]
		if m.Job.Bucket != members[0].Job.Bucket {
			outcomes[i].Err = fmt.Errorf("the runs are of different buckets, %s and %s", members[0].Job.Bucket, m.Job.Bucket)
			continue
		}
		if len(members) == 1 || len(m.Job.Recorded) > 0 || m.Job.Seed != "" {
			outcomes[i].Result, outcomes[i].Err = Run(ctx, src, m.Destination, m.Job, m.Options)
			continue
		}
		r, published, err := m.begin(ctx)
		switch {
		case err != nil:
			outcomes[i].Err = err
		case published != nil:
			outcomes[i].Result = *published
		default:
			runs, at = append(runs, r), append(at, i)
		}
	}
	for i, o := range runTogether(ctx, src, runs) {
		outcomes[at[i]] = o
	}
	return outcomes
}

// begin removes what earlier attempts have left. It returns the result of one that
// has published, if there is one.
func (m *Member) begin(ctx context.Context) (*run, *Result, error) {
	r, err := newRun(m.Destination, m.Job, m.Options)
	if err != nil {
		return nil, nil, err
	}
	published, err := r.recover(ctx, false)
	if err != nil {
		return nil, nil, fmt.Errorf("clean up after earlier attempts: %w", err)
	}
	if published == nil {
		r.step(Recovered)
	}
	return r, published, nil
}

func runTogether(ctx context.Context, src Source, runs []*run) []Outcome {
	outcomes := make([]Outcome, len(runs))
	if len(runs) == 0 {
		return nil
	}
	snap, opened, err := runs[0].snapshot(ctx, src)
	if err != nil {
		for i, r := range runs {
			outcomes[i].Err = fmt.Errorf("scan %s: %w", r.job.Bucket, err)
		}
		return outcomes
	}
	outlines, results, errs := scanTogether(ctx, snap, opened, runs)
	if err := snap.Close(); err != nil {
		for i := range errs {
			errs[i] = errors.Join(errs[i], err)
		}
	}
	for i, r := range runs {
		result, err := Result{}, errs[i]
		if err == nil {
			r.step(Scanned)
			result, err = r.publish(ctx, &outlines[i], results[i])
		} else {
			err = fmt.Errorf("scan %s: %w", r.job.Bucket, err)
		}
		outcomes[i].Result, outcomes[i].Err = r.ended(ctx)(result, err)
	}
	return outcomes
}

// scanTogether plans the runs, and lists what those that can be made select.
func scanTogether(ctx context.Context, snap Snapshot, opened time.Time, runs []*run) (outlines []Outline, results [][]SliceResult, errs []error) {
	outlines, results, errs = make([]Outline, len(runs)), make([][]SliceResult, len(runs)), make([]error, len(runs))
	pages, paged := snap.(PagedSnapshot)
	var going []*run
	var at []int
	var last *stocktake.Summary // of most rows
	for i, r := range runs {
		outline, previous, err := r.plan(ctx, snap, !paged)
		if outlines[i], errs[i] = outline, err; err != nil {
			continue
		}
		r.opts.Progress.begin(outline.Expected, len(outline.Slices))
		r.step(Planned)
		if !paged {
			results[i], errs[i] = r.scanSegments(ctx, snap, opened, outline.Slices)
			continue
		}
		going, at = append(going, r), append(at, i)
		if previous != nil && (last == nil || previous.Matched > last.Matched) {
			last = previous
		}
	}
	if len(going) == 0 {
		return outlines, results, errs
	}
	p, err := newPagedScan(pages, opened, going, union(going), last)
	if err == nil {
		for n, o := range p.outputs {
			o.begin(SliceResult{Slice: outlines[at[n]].Slices[0], Snapshot: snap.Time()})
		}
		err = p.run(ctx)
	}
	for n, i := range at {
		if errs[i] = err; err == nil {
			results[i], errs[i] = p.outputs[n].results, p.outputs[n].err
		}
	}
	return outlines, results, errs
}

// union returns the segments that hold the keys which any of the runs selects,
// each once, ascending.
func union(runs []*run) (segments []Segment) {
	prefixes := make([]string, len(runs))
	for i, r := range runs {
		prefixes[i] = r.job.Configuration.Filter.Prefix
	}
	slices.Sort(prefixes)
	for _, prefix := range prefixes {
		if n := len(segments); n == 0 || !strings.HasPrefix(prefix, segments[n-1].Prefix) {
			segments = append(segments, Segment{Prefix: prefix})
		}
	}
	return segments
}
