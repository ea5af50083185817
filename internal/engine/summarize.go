package engine

import (
	"context"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// A sum is the total of the slices of a run.
type sum struct {
	summary *stocktake.Summary
	rollup  *rollup.Rollup // nil: a slice had none, or counts ages from another start

	totals report.Totals
	doubts Doubts
}

// summarize adds up the results of all slices of a run in the order of their keys,
// which is the order of their shards in the report. Its error names the keys that no
// slice or two slices have read.
func (r *run) summarize(ctx context.Context, o *RunPlan, results Results) (*sum, error) {
	order, err := chain(ctx, r.job.Configuration.Filter.Prefix, results)
	if err != nil {
		return nil, err
	}
	s := &sum{summary: &stocktake.Summary{
		Version: stocktake.SummaryVersion, Bucket: r.job.Bucket, Configuration: r.job.Configuration.ID, Run: r.job.Run,
		Consistency: o.Consistency, Start: o.Start.UTC(), End: o.Start.UTC(),
		Files: []stocktake.SummaryFile{},
	}}
	if s.summary.Journal = o.Journal; r.job.Seed != "" {
		s.summary.Journal = nil // it is not of the data alone
	}
	start := r.start(o)
	first := true
	err = results.InOrder(ctx, order, func(part *SliceResult) error {
		s.add(o, part)
		// Slices of versions without roll-ups have none, or one with another start.
		switch p := part.Rollup; {
		case p == nil || p.Start.Unix() != start.Unix():
			s.rollup, first = nil, false
		case first:
			s.rollup, first = rollup.Merge(p), false
		case s.rollup != nil:
			s.rollup = rollup.Merge(s.rollup, p)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	r.complete(o, s)
	return s, nil
}

// add adds the results of a slice, except for its roll-up.
func (s *sum) add(o *RunPlan, part *SliceResult) {
	sum := s.summary
	if sum.Journal != nil && (part.Journal == nil || *part.Journal != *sum.Journal) {
		sum.Journal = nil // no position is that of all slices
	}
	sum.Listed += part.Listed
	s.totals.Merge(&part.Totals)
	s.doubts.merge(part.Doubts)
	sum.Files = append(sum.Files, part.Files...)
	if !part.Snapshot.Equal(o.Start) { // the slices have seen different states
		sum.Consistency = stocktake.ConsistencyWindow
	}
	if part.End.After(sum.End) {
		sum.End = part.End.UTC()
	}
}

// complete sets the values that depend on all slices.
func (r *run) complete(o *RunPlan, sum *sum) {
	s := sum.summary
	if s.Journal != nil {
		s.Filter = &r.job.Configuration.Filter // what follows the position is applied with it
	}
	if r.job.Seed != "" {
		s.Start = r.start(o)
		s.End = s.Start
	}
	s.Matched, s.Bytes, s.Classes = sum.totals.Rows, sum.totals.Bytes, sum.totals.Classes()
	for _, f := range r.job.Configuration.Columns() { // in their order in the report
		if slices.Contains(sum.doubts.Unavailable, f) {
			s.Unavailable = append(s.Unavailable, f.String())
		}
	}
	s.Incomplete, s.SuspectKeys = sum.doubts.Incomplete, sum.doubts.Suspect
	if sums := sum.rollup; sums != nil {
		sums.Bucket, sums.Configuration, sums.Run, sums.Start = s.Bucket, s.Configuration, s.Run, s.Start
		sums.Seal()
	}
}

// manifestFiles returns the files of a summary in the form of the manifest.
func manifestFiles(s *stocktake.Summary) []stocktake.ManifestFile {
	files := make([]stocktake.ManifestFile, len(s.Files))
	for i := range s.Files {
		files[i] = stocktake.ManifestFile{MD5: s.Files[i].MD5, Key: s.Files[i].Key, Size: s.Files[i].Size}
	}
	return files
}
