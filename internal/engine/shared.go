package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/tracing"
)

// ErrNotTogether means that a run cannot share the listing of the others: no slice covers
// the keys that it selects.
var ErrNotTogether = errors.New("no other run lists the keys of this one")

// A MemberPlan is the plan of one of several runs that share a listing.
type MemberPlan struct {
	Plan RunPlan // its one slice is all keys of the run
	Err  error   // why it cannot be made with the others; nil: it can
}

// A MemberSlice is the result of a shared slice for one of its runs.
type MemberSlice struct {
	Results []SliceResult
	Err     error // why Results is empty; its shards are removed. nil: it is not
}

// PlanTogether is [Plan] for several runs of one bucket, which share one listing in
// slices for [ScanSliceTogether]. The slices cover the keys of all runs whose plan
// has no error. The prefix of one run must be a prefix of those of the others; runs
// for which it is not get ErrNotTogether. Other errors of a run are those of its
// destination, wrapped, and [*SpaceError]. err is that of the source.
func PlanTogether(ctx context.Context, src Source, members []Member) (cut []Slice, plans []MemberPlan, err error) {
	plans = make([]MemberPlan, len(members))
	runs := make([]*run, len(members))
	order := make([]int, 0, len(members)) // those with the shortest prefix first
	for i := range members {
		m := &members[i]
		if runs[i], plans[i].Err = newRun(m.Destination, m.Job, m.Options); plans[i].Err == nil {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		return nil, plans, nil
	}
	prefix := func(i int) string { return members[i].Job.Configuration.Filter.Prefix }
	slices.SortStableFunc(order, func(a, b int) int { return len(prefix(a)) - len(prefix(b)) })
	bucket := members[order[0]].Job.Bucket
	snap, _, err := runs[order[0]].snapshot(ctx, src)
	if err != nil {
		return nil, nil, fmt.Errorf("plan %s: %w", bucket, err)
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	for _, i := range order {
		if len(cut) > 0 && !strings.HasPrefix(prefix(i), cut[0].Segment.Prefix) {
			plans[i].Err = ErrNotTogether
			continue
		}
		o, _, err := runs[i].plan(ctx, snap, len(cut) == 0)
		if _, full := errors.AsType[*SpaceError](err); full {
			plans[i].Err = fmt.Errorf("plan %s: %w", bucket, err)
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("plan %s: %w", bucket, err)
		}
		if len(cut) == 0 {
			cut = o.Slices
		}
		o.Slices = []Slice{{Segment: Segment{Prefix: prefix(i)}, Start: cut[0].Start}}
		plans[i].Plan = o
	}
	return cut, plans, nil
}

// ScanSliceTogether is [ScanSlice] for several runs of one bucket, with one listing
// of a slice of [PlanTogether] or of the rest of one. The prefixes of all runs begin
// with the prefix of the slice. A run whose destination fails, or whose context ends,
// does not disturb the others: its shards are removed at once, and then its Ended is
// called. Each run has its own results, which read the same keys, limited to its
// prefix. rest are the results without their contents and with the prefix of the
// slice, from which the next slices follow; it is empty if no run has results.
//
// err is that of the listing, or ctx.Err(); then there are no results, and all shards
// are removed. The source must be paged. The budget, and all options of the listing,
// are those of the first run.
func ScanSliceTogether(ctx context.Context, src Source, members []Member, slice Slice) (outcomes []MemberSlice, rest []SliceResult, err error) {
	s := &sharedSlice{members: members, slice: slice, outcomes: make([]MemberSlice, len(members))}
	for i := range members {
		m := &members[i]
		r, err := newRun(m.Destination, m.Job, m.Options)
		if err == nil && !strings.HasPrefix(m.Job.Configuration.Filter.Prefix, slice.Segment.Prefix) {
			err = ErrNotTogether
		}
		if err != nil {
			s.fail(ctx, i, nil, err)
			continue
		}
		s.runs, s.of = append(s.runs, r), append(s.of, i)
	}
	if len(s.runs) == 0 {
		return s.outcomes, nil, nil
	}
	rest, err = s.scan(ctx, src)
	s.failing.Wait()
	if err != nil {
		err = fmt.Errorf("scan %s: %w", members[0].Job.Bucket, err)
		for k, r := range s.runs {
			if s.outcomes[s.of[k]].Err == nil {
				err = errors.Join(err, r.removeCreated(ctx))
			}
		}
		return nil, nil, err
	}
	return s.outcomes, rest, nil
}

// A sharedSlice is one call of ScanSliceTogether.
type sharedSlice struct {
	members  []Member
	slice    Slice
	runs     []*run // those that can be made
	of       []int  // whose each of them is
	outcomes []MemberSlice
	failing  sync.WaitGroup // members whose shards are being removed
}

// fail ends the part of a member. r is nil if it has written nothing.
func (s *sharedSlice) fail(ctx context.Context, i int, r *run, err error) {
	if r != nil {
		err = errors.Join(fmt.Errorf("scan %s: %w", s.members[i].Job.Bucket, err), r.removeCreated(ctx))
	}
	s.outcomes[i].Err = err
	if ended := s.members[i].Ended; ended != nil {
		ended(Outcome{Err: err})
	}
}

// scan lists the slice. It returns its results without their contents.
func (s *sharedSlice) scan(ctx context.Context, src Source) (rest []SliceResult, err error) {
	snap, opened, err := s.open(ctx, src)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	if len(s.runs) == 0 {
		return nil, ctx.Err()
	}
	pages, ok := snap.(PagedSnapshot)
	if !ok {
		return nil, errors.New("the source is not listed page by page, so that runs cannot share a listing")
	}
	p, err := s.begin(ctx, pages, opened)
	if err != nil {
		return nil, err
	}
	for k, o := range p.outputs {
		if c := s.members[s.of[k]].Context; c != nil {
			o.ctx = c
			defer context.AfterFunc(c, p.wake)()
		}
		o.failed = func(err error) { s.failing.Go(func() { s.fail(ctx, s.of[k], o.run, err) }) }
	}
	ctx, span := tracing.Start(ctx, "slice")
	err = p.run(ctx)
	live := slices.IndexFunc(p.outputs, func(o *output) bool { return o.err == nil })
	if live < 0 { // each has failed by itself
		span.End(err)
		return nil, ctx.Err()
	}
	describe(span, p.outputs[live].results)
	span.End(err)
	if err != nil {
		return nil, err
	}
	return s.collect(p, live), nil
}

// open takes a snapshot, and drops the runs that are ended meanwhile.
func (s *sharedSlice) open(ctx context.Context, src Source) (Snapshot, time.Time, error) {
	contexts := make([]context.Context, len(s.runs))
	for k := range contexts {
		contexts[k] = s.members[s.of[k]].Context
	}
	snap, opened, left, err := snapshotFor(ctx, s.runs[0], src, contexts, func(k int) { s.fail(ctx, s.of[k], s.runs[k], contexts[k].Err()) })
	var runs []*run
	var of []int
	for k := range left {
		if left[k] {
			runs, of = append(runs, s.runs[k]), append(of, s.of[k])
		}
	}
	s.runs, s.of = runs, of
	return snap, opened, err
}

// begin returns the scan, whose outputs are those of the runs.
func (s *sharedSlice) begin(ctx context.Context, snap PagedSnapshot, opened time.Time) (*pagedScan, error) {
	var last *stocktake.Summary
	for _, r := range s.runs {
		if r.job.Configuration.Filter.Prefix == s.slice.Segment.Prefix {
			last = r.previous(ctx)
			break
		}
	}
	versions := slices.ContainsFunc(s.runs, (*run).wantsVersions)
	p, err := newPagedScan(snap, opened, s.runs, []Segment{s.slice.Segment.scanned(versions)}, last)
	if err != nil {
		return nil, err
	}
	if s.slice.Large {
		p.table.Large()
	}
	p.budget = s.runs[0].opts.Slice
	for _, o := range p.outputs {
		o.opts.Progress.begin(0, 1)
		o.begin(SliceResult{Slice: s.slice, Snapshot: snap.Time()})
	}
	return p, nil
}

// collect passes the results to their members, and returns those of the listing. All
// outputs have read the same keys; failed outputs have no results.
func (s *sharedSlice) collect(p *pagedScan, live int) []SliceResult {
	rest := slices.Clone(p.outputs[live].results)
	for n := range rest {
		rest[n].Slice.Segment.Prefix = s.slice.Segment.Prefix
		rest[n].Rollup = nil
	}
	for k, o := range p.outputs {
		if o.err != nil {
			continue
		}
		for n := range o.results {
			r := &o.results[n]
			r.Slice.Segment.Prefix = o.job.Configuration.Filter.Prefix
			if len(r.Files) > len(rest[n].Files) {
				rest[n].Files = r.Files // the number of the next shard is above those of all
			}
		}
		s.outcomes[s.of[k]].Results = o.results
	}
	return rest
}

// wantsVersions reports whether the report has all versions.
func (r *run) wantsVersions() bool {
	return r.job.Configuration.IncludedObjectVersions == stocktake.AllVersions
}

// scanned returns the segment to list. If a listing of current versions resumes
// behind a version of a key in a listing of all versions, it has already read the
// current version of that key.
func (s Segment) scanned(versions bool) Segment {
	if versions || s.After == "" {
		return s
	}
	return Cursor{Key: s.From}.Rest(s)
}
