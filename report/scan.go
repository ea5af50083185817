package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/parquet"
)

// A scan reads the rows of a range of keys, shard after shard. It is not safe for
// concurrent use; the caller closes it.
type scan struct {
	r      *Report
	keys   KeyRange
	reader format.Reader
	texts  format.TextReader // reader, if its rows have a text; else nil

	file    int    // of the manifest, the next to open
	key     string // of the shard that is open; empty: none is
	n       int64  // rows of it before the next
	skipped bool   // the rows before keys.From have been passed
	err     error  // of the end
	first   []byte // if the report is in order, the first key seen behind the range
}

func newScan(r *Report, q Query) *scan {
	columns := r.Columns
	if q.Columns != nil {
		columns = slices.Clone(columns)
		for i, f := range columns {
			if f != stocktake.FieldKey && !slices.Contains(q.Columns, f) {
				columns[i] = 0
			}
		}
	}
	s := &scan{r: r, keys: q.Keys, reader: r.Format.NewReader(columns)}
	s.texts, _ = s.reader.(format.TextReader)
	return s
}

// next returns the next row of the range; io.EOF after the last.
func (s *scan) next(ctx context.Context) (*Row, error) {
	for {
		if err := s.ready(ctx); err != nil {
			return nil, err
		}
		row, err := s.reader.Next()
		if err == io.EOF {
			s.key = ""
			continue
		}
		if err != nil {
			return nil, s.fail(err)
		}
		s.n++
		if s.before(row.Key) {
			continue
		}
		if s.behind(row.Key) {
			if s.r.Ordered() {
				return nil, s.passed(row.Key)
			}
			continue
		}
		return row, nil
	}
}

// before reports whether key comes before the range. In a report in order, no
// further key needs to be compared once one does not.
func (s *scan) before(key []byte) bool {
	if s.skipped {
		return false
	}
	if bytes.Compare(key, s.keys.From) < 0 {
		return true
	}
	s.skipped = s.r.Ordered()
	return false
}

// behind reports whether key comes behind the range.
func (s *scan) behind(key []byte) bool {
	return len(s.keys.To) > 0 && bytes.Compare(key, s.keys.To) >= 0
}

// ready opens the next shard if none is open; io.EOF after the last.
func (s *scan) ready(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	if s.n%4096 == 0 && ctx.Err() != nil {
		return s.fail(ctx.Err())
	}
	for s.key == "" {
		if s.file == len(s.r.Manifest.Files) {
			return s.fail(io.EOF)
		}
		i := s.file
		s.file++
		at, ok := s.place(i)
		if !ok {
			continue
		}
		file := s.r.Manifest.Files[i]
		if err := s.reader.Open(ctx, &shardFile{s.r.bucket, file}, at); err != nil {
			if errors.Is(err, parquet.ErrNotParquet) {
				err = fmt.Errorf("%s: %w", file.Key, err) // errors of the bucket name the file
			}
			return s.fail(err)
		}
		s.key, s.n = file.Key, at.Row
		if err := s.seek(); err != nil {
			return s.fail(err)
		}
	}
	return nil
}

// seek passes over rows before the range in the shard that was opened.
func (s *scan) seek() error {
	r, ok := s.reader.(format.Seeker)
	if !ok || len(s.keys.From) == 0 || s.skipped {
		return nil
	}
	n, err := r.Seek(s.keys.From)
	s.n += n
	return err
}

// place returns from where on a shard has rows of the range. ok is false if it
// has none.
func (s *scan) place(i int) (at format.Place, ok bool) {
	f := s.r.summaryFile(i)
	if f == nil {
		return at, true
	}
	if last, err := ParseKey(f.LastKey); err == nil && bytes.Compare(last, s.keys.From) < 0 {
		return at, false
	}
	if first, err := ParseKey(f.FirstKey); err == nil && s.behind(first) {
		if s.first == nil {
			s.first = first
		}
		return at, false
	}
	// The versions of one key may lie in two pieces, and only the second is known
	// to begin with it.
	versions := s.r.Has(stocktake.FieldVersionID)
	for _, p := range f.Pieces {
		first, err := ParseKey(p.FirstKey)
		if err != nil {
			break
		}
		if c := bytes.Compare(first, s.keys.From); c > 0 || c == 0 && versions {
			break
		}
		at = format.Place{Row: p.Row, Offset: p.Offset}
	}
	return at, true
}

// passed ends the scan at a key behind the range.
func (s *scan) passed(key []byte) error {
	s.first = bytes.Clone(key)
	return s.fail(io.EOF)
}

// fail ends the scan with an error, which says where it occurred.
func (s *scan) fail(err error) error {
	if e, ok := errors.AsType[*RowError](err); ok {
		e.File = s.key
	} else if err != io.EOF && s.key != "" {
		err = fmt.Errorf("%s: after %d rows: %w", s.key, s.n, err)
	}
	s.err = err
	return err
}

// close ends the scan.
func (s *scan) close() {
	_ = s.reader.Close() // nothing was written, and the bytes read have been checked
	if s.err == nil {
		s.err = errScanClosed
	}
}

var errScanClosed = errors.New("the scan is closed")

// summaryFile returns what the summary has about a file of the manifest; nil if
// nothing.
func (r *Report) summaryFile(i int) *stocktake.SummaryFile {
	if !r.Ordered() || i >= len(r.Summary.Files) || r.Summary.Files[i].Key != r.Manifest.Files[i].Key {
		return nil
	}
	return &r.Summary.Files[i]
}
