package report

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/rollup"
)

// DescribeRollup returns what a summary says about a manifest.rollup with the
// content given.
func DescribeRollup(raw []byte) *stocktake.SummaryRollup {
	m, s := md5.Sum(raw), sha256.Sum256(raw)
	return &stocktake.SummaryRollup{Size: int64(len(raw)), MD5: fmt.Sprintf("%X", m), SHA256: hex.EncodeToString(s[:])}
}

// ReadRollup returns the totals that were made while the report was scanned. It
// reads manifest.rollup and no row. The error is fs.ErrNotExist if the report has
// none, as reports of OSS, and ErrMalformed if it differs from the summary's
// description. [Report.AddUp] returns the same from the rows.
func (r *Report) ReadRollup(ctx context.Context) (*rollup.Rollup, error) {
	key := r.sibling(RollupName)
	if r.Summary == nil || r.Summary.Rollup == nil {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	raw, err := read(ctx, r.bucket, key, rollup.MaxSize)
	if err != nil {
		return nil, err
	}
	if got := DescribeRollup(raw); *got != *r.Summary.Rollup {
		return nil, fmt.Errorf("%s: %w: %d bytes with the MD5 %s, the summary says %d with %.40s",
			key, ErrMalformed, got.Size, got.MD5, r.Summary.Rollup.Size, r.Summary.Rollup.MD5)
	}
	sums, err := rollup.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", key, ErrMalformed, err)
	}
	return sums, nil
}

// AddUpOptions configure [Report.AddUp]. The zero value adds up prefixes of
// rollup.DefaultDepth segments.
type AddUpOptions struct {
	Depth    int              // segments of a key in a prefix; 0: rollup.DefaultDepth
	Progress func(rows int64) // called now and then with the rows read so far; nil: it is not
}

// AddUp reads all rows and adds them up. Its memory does not grow with the
// report. Rows need not be in order, but take longer if they are not. A column
// that the report lacks counts as 0: without Size all objects are empty. A report of
// changes is ErrNotApplicable.
func (r *Report) AddUp(ctx context.Context, opts AddUpOptions) (*rollup.Rollup, error) {
	if err := r.isTable(); err != nil {
		return nil, err
	}
	a := adder{opts: r.rollupOptions()}
	a.opts.Depth = cmp.Or(opts.Depth, rollup.DefaultDepth)
	n := int64(0)
	for row, err := range r.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		a.add(row)
		if n++; n%progressRows == 0 && opts.Progress != nil {
			opts.Progress(n)
		}
	}
	sums := a.finish()
	if s := r.Summary; s != nil {
		sums.Bucket, sums.Configuration, sums.Run = s.Bucket, s.Configuration, s.Run
	} else {
		sums.Bucket = r.Manifest.SourceBucket
	}
	sums.Seal()
	return sums, nil
}

const progressRows = 1 << 16

// rollupOptions are the options that add up the rows of the report as the scan did.
func (r *Report) rollupOptions() rollup.Options {
	o := rollup.Options{
		Start:    time.Unix(r.Manifest.CreationTimestamp, 0).UTC(),
		Versions: slices.Contains(r.Columns, stocktake.FieldIsLatest),
	}
	if r.Summary != nil {
		o.Start = r.Summary.Start
	}
	return o
}

// An adder adds up rows in any order: those that ascend as they come, others
// sorted, some at a time.
type adder struct {
	opts    rollup.Options
	builder *rollup.Builder
	begun   bool // builder has rows
	last    []byte

	done    *rollup.Rollup // of earlier rows; nil: there are none
	sorting bool
	waiting []stocktake.Record // to be sorted
}

// sortedRows is how many rows are sorted at a time.
const sortedRows = 1 << 16

func (a *adder) add(row *Row) {
	if a.builder == nil {
		a.builder = rollup.New(a.opts)
	}
	if !a.sorting && a.begun && bytes.Compare(row.Key, a.last) < 0 {
		a.endPart()
		a.sorting = true
	}
	if a.sorting {
		r := row.Record
		r.Key, r.VersionID = bytes.Clone(r.Key), bytes.Clone(r.VersionID)
		if a.waiting = append(a.waiting, r); len(a.waiting) == sortedRows {
			a.sort()
		}
		return
	}
	a.builder.AddOne(&row.Record)
	a.begun = true
	a.last = append(a.last[:0], row.Key...)
}

// sort adds the rows that wait as a part of their own.
func (a *adder) sort() {
	slices.SortStableFunc(a.waiting, func(x, y stocktake.Record) int { return bytes.Compare(x.Key, y.Key) })
	a.builder.Add(a.waiting)
	a.endPart()
	clear(a.waiting)
	a.waiting, a.sorting = a.waiting[:0], false
}

func (a *adder) endPart() {
	part := a.builder.Part()
	if a.done != nil {
		part = rollup.Merge(a.done, part)
	}
	a.done = part
	a.builder.Reset()
	a.begun = false
}

func (a *adder) finish() *rollup.Rollup {
	if a.builder == nil {
		a.builder = rollup.New(a.opts)
	}
	if a.sorting {
		a.sort()
	} else {
		a.endPart()
	}
	return a.done
}
