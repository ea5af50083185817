package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/gzip"

	"github.com/stocktake/stocktake"
)

// Rows yields the rows of the report in the order of its shards. A row holds
// until the next one; an error, which is the last pair, is a *[RowError] if a
// row is at fault.
func (r *Report) Rows(ctx context.Context) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		var sr shardReader
		for _, f := range r.Manifest.Files {
			for row, err := range r.shard(ctx, &sr, f) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// shard yields the rows of one shard.
func (r *Report) shard(ctx context.Context, sr *shardReader, file stocktake.ManifestFile) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		f, err := r.bucket.Open(ctx, file.Key)
		if err != nil {
			yield(nil, fmt.Errorf("open %s: %w", file.Key, err))
			return
		}
		defer f.Close()
		sr.reset(f, file.Key, r.Columns)
		for {
			row, err := sr.next()
			if err == io.EOF {
				return
			}
			if err == nil && sr.n%4096 == 0 {
				err = ctx.Err()
			}
			if _, ok := errors.AsType[*RowError](err); err != nil && !ok {
				err = fmt.Errorf("%s: after %d rows: %w", file.Key, sr.n, err)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// A shardReader reads the rows of one shard after another, reusing what it
// allocates. The zero value is ready for reset.
type shardReader struct {
	key  string
	gz   *gzip.Reader
	bad  error // of the gzip header
	rows *rowReader
	dec  decoder
	n    int64 // of the row read last, from 1
}

func (s *shardReader) reset(src io.Reader, key string, columns []stocktake.Field) {
	if s.gz == nil {
		s.gz, s.rows = new(gzip.Reader), newRowReader(nil)
	}
	s.key, s.n, s.dec.columns = key, 0, columns
	s.bad = s.gz.Reset(src)
	if s.bad == io.EOF {
		s.bad = io.ErrUnexpectedEOF // not even a header
	}
	s.rows.reset(s.gz)
}

// next returns the next row, io.EOF after the last, a *RowError for a row that
// cannot be decoded, after which the next one can be read, or another error,
// after which nothing can.
func (s *shardReader) next() (*Row, error) {
	if s.bad != nil {
		return nil, s.bad
	}
	values, err := s.rows.next()
	if errors.Is(err, errQuote) || errors.Is(err, errRowTooLong) {
		s.bad = err
		err = &RowError{File: s.key, Row: s.n + 1, Err: err}
	}
	if err != nil {
		return nil, err
	}
	s.n++
	if column, err := s.dec.decode(values); err != nil {
		e := &RowError{File: s.key, Row: s.n, Err: err}
		if column >= 0 {
			v := values[column]
			e.Column, e.Value = s.dec.columns[column].Column().SchemaName, string(v[:min(len(v), 200)])
		}
		return nil, e
	}
	return &s.dec.row, nil
}
