package report

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/stocktake/stocktake"
)

// Bounds of sorting; tests make them small.
var (
	sortMemory = 24 << 20 // bytes of records that are sorted at once
	sortFanIn  = 64       // runs that are merged at once, of one level
)

// A sorter sorts the rows of a report that need not be in the order of their keys:
// those that OSS and S3 make. Its memory does not grow with the report: rows are
// sorted piece by piece into runs, which are temporary files, and these are merged.
type sorter struct {
	dir     string // for temporary files; empty: os.TempDir
	columns []stocktake.Field

	levels [][]*sortedRun // those of a level have about as many rows; the last levels have the first rows

	records []stocktake.Record
	arena   []byte  // what the records point to
	held    int     // bytes of both
	order   []int32 // of the records
}

// sortRows returns the rows of a report in the order of their keys; rows of one key
// remain in the order of the report. They have the columns of q. The caller closes
// them.
func sortRows(ctx context.Context, r *Report, q Query, dir string) (_ *rowsInOrder, err error) {
	s := &sorter{dir: dir, columns: sortedColumns(r, q.Columns)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("sort the rows of %s: %w", r.Key, err), closeRuns(s.runs()))
		}
	}()
	for row, err := range r.Read(ctx, Query{Keys: q.Keys, Columns: s.columns}) {
		if err != nil {
			return nil, err
		}
		s.keep(&row.Record)
		if s.held >= sortMemory {
			if err := s.flush(ctx); err != nil {
				return nil, err
			}
		}
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	return &rowsInOrder{of: r, columns: s.columns, runs: s.runs()}, nil
}

// sortedColumns are those of runs.
func sortedColumns(r *Report, asked []stocktake.Field) []stocktake.Field {
	columns := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey}
	for _, f := range r.Columns {
		if f != 0 && f.Column().Full != stocktake.Never && !slices.Contains(columns, f) && (asked == nil || slices.Contains(asked, f)) {
			columns = append(columns, f)
		}
	}
	return columns
}

// keep adds a copy of a record.
func (s *sorter) keep(r *stocktake.Record) {
	kept := *r
	for _, v := range []*[]byte{&kept.Key, &kept.VersionID, &kept.ETag.Text} {
		if *v != nil {
			n := len(s.arena)
			s.arena = append(s.arena, *v...)
			*v = s.arena[n:len(s.arena):len(s.arena)]
		}
	}
	s.records = append(s.records, kept)
	s.held = len(s.arena) + len(s.records)*recordSize
}

// recordSize is about how many bytes a record takes besides its texts.
const recordSize = 256

// flush makes a run of the records that are kept.
func (s *sorter) flush(ctx context.Context) error {
	if len(s.records) == 0 {
		return nil
	}
	s.order = s.order[:0]
	for i := range s.records {
		s.order = append(s.order, int32(i))
	}
	slices.SortFunc(s.order, func(a, b int32) int {
		return cmp.Or(bytes.Compare(s.records[a].Key, s.records[b].Key), cmp.Compare(a, b))
	})
	w, err := newRunWriter(s.dir, s.columns)
	if err != nil {
		return err
	}
	batch := make([]stocktake.Record, 0, encodeBatch)
	for some := range slices.Chunk(s.order, encodeBatch) {
		batch = batch[:0]
		for _, i := range some {
			batch = append(batch, s.records[i])
		}
		if err := errors.Join(ctx.Err(), w.add(batch)); err != nil {
			return errors.Join(err, w.run.close())
		}
	}
	if err := w.end(); err != nil {
		return errors.Join(err, w.run.close())
	}
	// The arena may have moved while it grew, and earlier records keep what was left
	// behind; the next ones begin with the largest.
	s.records, s.arena, s.held = s.records[:0], s.arena[:0], 0
	return s.put(ctx, 0, w.run)
}

// put adds a run to a level. If the level is full it becomes one run of the next.
func (s *sorter) put(ctx context.Context, level int, run *sortedRun) error {
	if level == len(s.levels) {
		s.levels = append(s.levels, nil)
	}
	s.levels[level] = append(s.levels[level], run)
	if len(s.levels[level]) < sortFanIn {
		return nil
	}
	w, err := newRunWriter(s.dir, s.columns)
	if err != nil {
		return err
	}
	var batch []stocktake.Record
	for row, err := range merge(ctx, s.levels[level], s.columns, KeyRange{}) {
		if err != nil {
			return errors.Join(err, w.run.close())
		}
		batch = append(batch[:0], row.Record)
		if err := w.add(batch); err != nil {
			return errors.Join(err, w.run.close())
		}
	}
	if err := w.end(); err != nil {
		return errors.Join(err, w.run.close())
	}
	merged := s.levels[level]
	s.levels[level] = nil
	return errors.Join(closeRuns(merged), s.put(ctx, level+1, w.run))
}

// runs returns all runs, in the order of their first rows in the report.
func (s *sorter) runs() (all []*sortedRun) {
	for _, level := range slices.Backward(s.levels) {
		all = append(all, level...)
	}
	return all
}

// rowsInOrder are the rows of a report in the order of their keys.
type rowsInOrder struct {
	of      *Report
	columns []stocktake.Field
	runs    []*sortedRun
}

// Source implements [Rows].
func (s *rowsInOrder) Source() string { return s.of.Source() }

// Has implements [Rows].
func (s *rowsInOrder) Has(f stocktake.Field) bool {
	return slices.Contains(s.columns, f) && s.of.Has(f)
}

// Read implements [Rows]. Rows have records, no bucket and no texts of their values.
func (s *rowsInOrder) Read(ctx context.Context, q Query) iter.Seq2[*Row, error] {
	return merge(ctx, s.runs, s.columns, q.Keys)
}

// close removes the temporary files.
func (s *rowsInOrder) close() error { return closeRuns(s.runs) }
