package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/stocktake/stocktake"
)

// A side is one of the reports that are compared, at a row.
type side struct {
	rows   Rows
	latest bool // leave out older versions and delete markers
	count  *int64

	scan *scan // of a report; nil: pull is used
	pull func() (*Row, error, bool)
	stop func()

	text []byte // of the current row, without the part that all rows share; nil: not known
	skip []byte // the common beginning of all rows: the bucket
	row  *Row   // the current row; nil: not decoded
	last []byte // key of the row decoded last
	end  bool   // there is no row
}

func newSide(ctx context.Context, rows Rows, keys KeyRange, columns []stocktake.Field, latest bool, count *int64) *side {
	s := &side{rows: rows, latest: latest, count: count}
	q := Query{Keys: keys, Columns: columns}
	if r := stored(rows); r != nil {
		s.scan = newScan(r, q)
		s.skip = []byte(r.Manifest.SourceBucket + ",")
		s.stop = s.scan.close
	}
	if s.scan == nil {
		next, stop := iter.Pull2(rows.Read(ctx, q))
		s.pull, s.stop = next, stop
	}
	return s
}

// next moves to the next row and decodes it.
func (s *side) next(ctx context.Context) error {
	for {
		if s.end {
			return nil
		}
		s.text, s.row = nil, nil
		row, err := s.read(ctx)
		if err == io.EOF {
			s.end = true
			return nil
		}
		if err != nil {
			return err
		}
		if s.latest && (!row.IsLatest || row.IsDeleteMarker) {
			continue
		}
		return s.decoded(row)
	}
}

func (s *side) read(ctx context.Context) (*Row, error) {
	if s.scan != nil {
		return s.scan.next(ctx)
	}
	row, err, ok := s.pull()
	if !ok {
		return nil, io.EOF
	}
	return row, err
}

// decoded makes row the current one.
func (s *side) decoded(row *Row) error {
	*s.count++
	s.row = row
	return s.ascends()
}

// ascends checks the key of the current row.
func (s *side) ascends() error {
	if bytes.Compare(s.row.Key, s.last) < 0 {
		return fmt.Errorf("%s: %w: %.200q comes after %.200q", s.rows.Source(), ErrDisorder, s.row.Key, s.last)
	}
	s.last = append(s.last[:0], s.row.Key...)
	return nil
}

// nextText moves to the next row without decoding it. A report in order ends with
// its range only when a row is decoded; see differ.compare.
func (s *side) nextText(ctx context.Context) error {
	sc := s.scan
	for {
		s.text, s.row = nil, nil
		if err := sc.ready(ctx); err != nil {
			if err == io.EOF {
				s.end, err = true, nil
			}
			return err
		}
		text, err := sc.texts.NextText()
		if err == io.EOF {
			sc.key = ""
			continue
		}
		if err != nil {
			return sc.fail(err)
		}
		sc.n++
		*s.count++
		s.text = bytes.TrimPrefix(text, s.skip)
		return nil
	}
}

// decode decodes the current row if nextText has moved to it. The row may lie
// behind the range: then there is no row.
func (s *side) decode() error {
	if s.row != nil || s.end {
		return nil
	}
	row, err := s.scan.texts.Row()
	if err != nil {
		return s.scan.fail(err)
	}
	s.text, s.row = nil, row
	if s.scan.behind(row.Key) {
		s.leave(row.Key)
		return nil
	}
	return s.ascends()
}

// leave ends the side before the current row, which has the key.
func (s *side) leave(key []byte) {
	*s.count--
	_ = s.scan.passed(key)
	s.row, s.text, s.end = nil, nil, true
}
