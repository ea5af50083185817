package csvtext

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/report/format"
)

// A reader reads shards. It is a [format.TextReader].
type reader struct {
	columns []stocktake.Field // of NewReader
	file    io.ReadCloser     // nil: none is open
	bad     error             // not nil: no row can be read

	rows *csvrow.Cutter
	text []byte // of NextText
	dec  csvrow.Decoder
	n    int64 // of the row read last, from 1
}

func newReader(columns []stocktake.Field) *reader {
	return &reader{columns: columns, rows: csvrow.NewCutter(nil), dec: csvrow.Decoder{Columns: columns}, bad: errClosed}
}

var errClosed = errors.New("csvtext: no shard is open")

// Open implements [format.Reader].
func (r *reader) Open(ctx context.Context, f format.File, at format.Place) error {
	if err := r.Close(); err != nil {
		return err
	}
	if at.Offset < 0 || at.Row < 0 {
		return fmt.Errorf("csvtext: no piece begins at byte %d, row %d", at.Offset, at.Row)
	}
	file, err := f.Open(ctx, at.Offset, -1)
	if err != nil {
		return err
	}
	r.file, r.n, r.bad = file, at.Row, nil
	r.rows.Reset(file)
	return nil
}

// Next implements [format.Reader].
func (r *reader) Next() (*format.Row, error) {
	if r.bad != nil {
		return nil, r.bad
	}
	values, err := r.rows.Next()
	if err != nil {
		return nil, r.fault(err)
	}
	r.n++
	return r.decode(values)
}

// NextText implements [format.TextReader].
func (r *reader) NextText() (text []byte, err error) {
	if r.bad != nil {
		return nil, r.bad
	}
	if r.text, err = r.rows.NextText(); err != nil {
		return nil, r.fault(err)
	}
	r.n++
	return r.text, nil
}

// Row implements [format.TextReader].
func (r *reader) Row() (*format.Row, error) {
	values, err := r.rows.Cut(r.text)
	if err != nil {
		return nil, &format.RowError{Row: r.n, Err: err}
	}
	return r.decode(values)
}

// fault returns the error for a row that cannot be cut out of the text.
func (r *reader) fault(err error) error {
	if errors.Is(err, csvrow.ErrQuote) || errors.Is(err, csvrow.ErrRowTooLong) {
		r.bad = err
		return &format.RowError{Row: r.n + 1, Fatal: true, Err: err}
	}
	return err
}

// decode decodes the row read last.
func (r *reader) decode(values [][]byte) (*format.Row, error) {
	if column, err := r.dec.Decode(values); err != nil {
		e := &format.RowError{Row: r.n, Err: err}
		if column >= 0 {
			v := values[column]
			e.Column, e.Value = r.columns[column].Column().SchemaName, string(v[:min(len(v), 200)])
		}
		return nil, e
	}
	return &r.dec.Row, nil
}

// Close implements [format.Reader].
func (r *reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file, r.text, r.bad = nil, nil, errClosed
	return err
}
