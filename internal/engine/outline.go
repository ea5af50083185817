package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// An Outline is a run before it is scanned. It is kept as JSON.
type Outline struct {
	Start       time.Time             // of the snapshot it was made from
	Consistency stocktake.Consistency // of the source
	Expected    int64                 // records to be read, as far as is known; 0: not known

	// Journal is where the journal of the bucket stood at Start; nil: it has none.
	Journal *stocktake.JournalPosition `json:",omitempty"`

	// Slices are the segments, each as one slice, ascending. There is at least one.
	Slices []Slice
}

// Plan cuts the keys that the configuration of job selects into segments: at the
// bounds of the last report's shards if there is one with enough of them, else
// where the source proposes. It writes nothing. Errors are those of src and dst,
// wrapped, and [*RoomError] if the last report would not fit once more.
func Plan(ctx context.Context, src Source, dst Destination, job Job, opts Options) (_ Outline, err error) {
	r, err := newRun(dst, job, opts)
	if err != nil {
		return Outline{}, err
	}
	snap, err := src.Snapshot(ctx, job.Bucket)
	if err != nil {
		return Outline{}, fmt.Errorf("plan %s: %w", job.Bucket, err)
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	o, _, err := r.plan(ctx, snap, true)
	if err != nil {
		return Outline{}, fmt.Errorf("plan %s: %w", job.Bucket, err)
	}
	return o, nil
}

// plan also returns the summary of the last report, if it has read it. Without
// cut there is one slice.
func (r *run) plan(ctx context.Context, snap Snapshot, cut bool) (Outline, *stocktake.Summary, error) {
	prefix := r.job.Configuration.Filter.Prefix
	count, err := snap.Count(ctx, prefix)
	if err != nil {
		return Outline{}, nil, fmt.Errorf("count: %w", err)
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
			return Outline{}, nil, err
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
		return Outline{}, nil, err
	}
	o := Outline{Start: snap.Time(), Consistency: snap.Consistency(), Expected: max(count, 0), Journal: journalOf(snap)}
	for i, seg := range segs {
		o.Slices = append(o.Slices, Slice{Segment: seg, Number: i, Start: r.start(&o)})
	}
	return o, previous, nil
}

// start returns the time that the summary of the run states as its start.
func (r *run) start(o *Outline) time.Time {
	if r.job.Seed != "" {
		return seededStart(&r.job)
	}
	return o.Start.UTC()
}

// summarize adds up the results of all slices of a run, and names their shards
// in the order of their keys. Its error says which keys no slice or two
// slices have read.
func (r *run) summarize(o *Outline, results []SliceResult) (*stocktake.Summary, []stocktake.ManifestFile, *rollup.Rollup, error) {
	results, err := chain(r.job.Configuration.Filter.Prefix, results)
	if err != nil {
		return nil, nil, nil, err
	}
	s := &stocktake.Summary{
		Version: stocktake.SummaryVersion, Bucket: r.job.Bucket, Configuration: r.job.Configuration.ID, Run: r.job.Run,
		Consistency: o.Consistency, Start: o.Start.UTC(), End: o.Start.UTC(),
		Files: []stocktake.SummaryFile{},
	}
	files := []stocktake.ManifestFile{}
	if s.Journal = o.Journal; r.job.Seed != "" {
		s.Journal = nil // it is not of the data alone
	}
	var totals report.Totals
	var doubts Doubts
	for i := range results {
		part := &results[i]
		if s.Journal != nil && (part.Journal == nil || *part.Journal != *s.Journal) {
			s.Journal = nil // no position is that of all slices
		}
		s.Listed += part.Listed
		totals.Merge(&part.Totals)
		doubts.merge(part.Doubts)
		for _, f := range part.Files {
			s.Files = append(s.Files, f)
			files = append(files, stocktake.ManifestFile{MD5: f.MD5, Key: f.Key, Size: f.Size})
		}
		if !part.Snapshot.Equal(o.Start) { // the slices have seen different states
			s.Consistency = stocktake.ConsistencyWindow
		}
		if part.End.After(s.End) {
			s.End = part.End.UTC()
		}
	}
	if s.Journal != nil {
		s.Filter = &r.job.Configuration.Filter // what follows the position is applied with it
	}
	if r.job.Seed != "" {
		s.Start = r.start(o)
		s.End = s.Start
	}
	s.Matched, s.Bytes, s.Classes = totals.Rows, totals.Bytes, totals.Classes()
	for _, f := range r.job.Configuration.Columns() { // in their order in the report
		if slices.Contains(doubts.Unavailable, f) {
			s.Unavailable = append(s.Unavailable, f.String())
		}
	}
	s.Incomplete, s.SuspectKeys = doubts.Incomplete, doubts.Suspect
	return s, files, rollUp(s, results), nil
}

// rollUp merges the roll-ups of the results. It returns nil if one has none, or
// counts ages from another start: a slice that an earlier version has scanned.
func rollUp(s *stocktake.Summary, results []SliceResult) *rollup.Rollup {
	parts := make([]*rollup.Rollup, 0, len(results))
	for i := range results {
		p := results[i].Rollup
		if p == nil || p.Start.Unix() != s.Start.Unix() {
			return nil
		}
		parts = append(parts, p)
	}
	sums := rollup.Merge(parts...)
	sums.Bucket, sums.Configuration, sums.Run, sums.Start = s.Bucket, s.Configuration, s.Run, s.Start
	sums.Seal()
	return sums
}

// chain puts results in the order of their keys, and holds them to reading each
// record under prefix exactly once.
func chain(prefix string, results []SliceResult) ([]SliceResult, error) {
	type place struct{ from, after string }
	begins := make(map[place]*SliceResult, len(results))
	for i := range results {
		seg := &results[i].Slice.Segment
		at := place{seg.From, seg.After}
		if seg.Prefix != prefix {
			return nil, fmt.Errorf("a slice has prefix %.200q, want %.200q", seg.Prefix, prefix)
		}
		if results[i].empty() {
			continue
		}
		if begins[at] != nil {
			return nil, fmt.Errorf("two slices begin at key %.200q", seg.From)
		}
		begins[at] = &results[i]
	}
	ordered := make([]SliceResult, 0, len(results))
	for at := (place{}); ; {
		r := begins[at]
		if r == nil {
			return nil, fmt.Errorf("the slices do not read what begins at key %.200q", at.from)
		}
		delete(begins, at)
		ordered = append(ordered, *r)
		if r.Done && r.Slice.Segment.To == "" {
			break
		}
		if at = (place{from: r.Slice.Segment.To}); !r.Done {
			rest, _ := r.Rest()
			at = place{rest.Segment.From, rest.Segment.After}
		}
	}
	for at := range begins {
		return nil, fmt.Errorf("the slice that begins at key %.200q reads what another one does", at.from)
	}
	return ordered, nil
}
