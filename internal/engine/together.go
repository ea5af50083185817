package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake"
)

// A Member is a run that shares a listing with others.
type Member struct {
	// Context ends only this run; nil: the context of [RunTogether] does.
	Context context.Context

	Destination Destination
	Job         Job
	Options     Options

	// Ended is called once with the outcome of the run as soon as it is known; other
	// runs may still be in progress. It may be called from any goroutine. nil: no
	// call.
	Ended func(Outcome)
}

// An Outcome is the outcome of one run.
type Outcome struct {
	Result Result
	Err    error
}

// RunTogether is [Run] for several runs of one bucket. If the source is a
// [PagedSnapshot], where listing takes most of the time, they share one listing of
// all keys that any of them selects. Each run writes its own report. A run that fails
// or is ended does not disturb the others; if the listing fails, all fail.
// RunTogether returns when all have ended, with their outcomes in the order of the
// members, whose jobs have the same Bucket.
func RunTogether(ctx context.Context, src Source, members []Member) []Outcome {
	t := &together{src: src, outcomes: make([]Outcome, len(members)), members: members}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	left := int64(len(members))
	t.contexts = make([]context.Context, len(members))
	for i := range members {
		own, end := context.WithCancel(ctx)
		defer end()
		if c := members[i].Context; c != nil {
			defer context.AfterFunc(c, func() {
				if end(); atomic.AddInt64(&left, -1) == 0 {
					cancel() // no run needs the listing any more
				}
			})()
		}
		t.contexts[i] = own
	}
	t.run(ctx)
	t.ending.Wait()
	return t.outcomes
}

// together is one call of RunTogether.
type together struct {
	src      Source
	members  []Member
	contexts []context.Context // of each member
	outcomes []Outcome
	ending   sync.WaitGroup // of members that end by themselves
}

// end records the outcome of a member.
func (t *together) end(i int, result Result, err error) {
	t.outcomes[i] = Outcome{result, err}
	if t.members[i].Ended != nil {
		t.members[i].Ended(t.outcomes[i])
	}
}

// run makes the runs. Runs that cannot share a listing are made separately.
func (t *together) run(ctx context.Context) {
	going := make([]*riding, len(t.members))
	var begun sync.WaitGroup
	for i := range t.members {
		m := &t.members[i]
		switch {
		case m.Job.Bucket != t.members[0].Job.Bucket:
			t.end(i, Result{}, fmt.Errorf("the runs are of different buckets, %s and %s", t.members[0].Job.Bucket, m.Job.Bucket))
		case len(t.members) == 1 || len(m.Job.Recorded) > 0 || m.Job.Seed != "":
			t.ending.Go(func() {
				result, err := Run(t.contexts[i], t.src, m.Destination, m.Job, m.Options)
				t.end(i, result, err)
			})
		default:
			begun.Go(func() {
				r, published, err := m.begin(t.contexts[i])
				switch {
				case err != nil:
					t.end(i, Result{}, err)
				case published != nil:
					t.end(i, *published, nil)
				default:
					going[i] = &riding{run: r, ctx: t.contexts[i], end: func(result Result, err error) { t.end(i, result, err) }}
				}
			})
		}
	}
	begun.Wait()
	t.share(ctx, without(going))
}

// without returns the runs that are not nil.
func without(runs []*riding) []*riding {
	return slices.DeleteFunc(runs, func(r *riding) bool { return r == nil })
}

// begin removes the files of earlier attempts. It returns the result of an attempt
// that has published, if there is one.
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

// riding is a run whose keys are listed with those of others.
type riding struct {
	*run
	ctx     context.Context
	end     func(Result, error)
	runPlan RunPlan
}

// fail ends a run that has not been published.
func (r *riding) fail(err error) {
	r.end(r.ended(r.ctx)(Result{}, fmt.Errorf("scan %s: %w", r.job.Bucket, err)))
}

// share lists the bucket once for all runs, and publishes their reports.
func (t *together) share(ctx context.Context, runs []*riding) {
	if len(runs) == 0 {
		return
	}
	contexts := make([]context.Context, len(runs))
	for i, r := range runs {
		contexts[i] = r.ctx
	}
	snap, opened, left, err := snapshotFor(ctx, runs[0].run, t.src, contexts, func(i int) { runs[i].fail(runs[i].ctx.Err()) })
	for i, r := range runs {
		if !left[i] {
			runs[i] = nil
		} else if err != nil {
			r.fail(err)
		}
	}
	if err != nil {
		return
	}
	t.scan(ctx, snap, opened, without(runs))
	if err := snap.Close(); err != nil {
		t.members[0].Options.log().Warn("cannot close a shared listing", "bucket", t.members[0].Job.Bucket, "err", err)
	}
}

// snapshotFor takes a snapshot for several runs. The store may take hours to answer; runs
// do not wait for it whose contexts, if they have one, end before: ended is called with the
// number of each, and has returned. left reports which of the runs are left.
func snapshotFor(ctx context.Context, r *run, src Source, contexts []context.Context, ended func(i int)) (snap Snapshot, opened time.Time, left []bool, err error) {
	left = make([]bool, len(contexts))
	waits := make([]func(), len(contexts))
	for i, c := range contexts {
		waits[i] = func() { left[i] = true }
		if c == nil {
			continue
		}
		gone := make(chan struct{})
		stop := context.AfterFunc(c, func() {
			defer close(gone)
			ended(i)
		})
		waits[i] = func() {
			if left[i] = stop(); !left[i] {
				<-gone
			}
		}
	}
	snap, opened, err = r.snapshot(ctx, src)
	for _, wait := range waits {
		wait()
	}
	return snap, opened, left, err
}

// scan plans the runs, and lists the keys of those that can be made.
func (t *together) scan(ctx context.Context, snap Snapshot, opened time.Time, runs []*riding) {
	pages, paged := snap.(PagedSnapshot)
	previous := make([]*stocktake.Summary, len(runs))
	var planned sync.WaitGroup
	for i, r := range runs {
		planned.Go(func() {
			var err error
			if r.runPlan, previous[i], err = r.plan(r.ctx, snap, !paged); err != nil {
				r.fail(err)
				runs[i] = nil
				return
			}
			r.opts.Progress.begin(r.runPlan.Expected, len(r.runPlan.Slices))
			r.step(Planned)
		})
	}
	planned.Wait()
	var last *stocktake.Summary // of most rows
	for i, r := range runs {
		if s := previous[i]; r != nil && s != nil && (last == nil || s.Matched > last.Matched) {
			last = s
		}
	}
	runs = without(runs)
	switch {
	case len(runs) == 0:
	case paged:
		t.scanPages(ctx, pages, opened, runs, last)
	default:
		for _, r := range runs {
			results, err := r.scanSegments(r.ctx, snap, opened, r.runPlan.Slices)
			if err != nil {
				r.fail(err)
				continue
			}
			t.publish(r, results)
		}
	}
}

func (t *together) scanPages(ctx context.Context, snap PagedSnapshot, opened time.Time, runs []*riding, last *stocktake.Summary) {
	all := make([]*run, len(runs))
	for i, r := range runs {
		all[i] = r.run
	}
	p, err := newPagedScan(snap, opened, all, union(all), last)
	if err != nil {
		for _, r := range runs {
			r.fail(err)
		}
		return
	}
	for i, o := range p.outputs {
		r := runs[i]
		o.begin(SliceResult{Slice: r.runPlan.Slices[0], Snapshot: snap.Time()})
		o.ctx = r.ctx
		o.failed = func(err error) { t.ending.Go(func() { r.fail(err) }) }
		defer context.AfterFunc(r.ctx, p.wake)()
	}
	err = p.run(ctx)
	for i, r := range runs {
		switch o := p.outputs[i]; {
		case o.err != nil: // it has ended
		case err != nil:
			t.ending.Go(func() { r.fail(err) })
		default:
			t.publish(r, o.results)
		}
	}
}

// publish publishes the report of a run. A run does not wait for the destination of
// another.
func (t *together) publish(r *riding, results []SliceResult) {
	t.ending.Go(func() {
		r.step(Scanned)
		r.end(r.ended(r.ctx)(r.run.publish(r.ctx, &r.runPlan, listed(results), false)))
	})
}

// union returns the segments that cover the keys which any of the runs selects, each
// key once, ascending.
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
