package csvtext

import (
	"errors"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/report/format"
)

// Rows reads the rows of the text of a shard after decompression. It is a
// [format.TextReader] without Open and Close.
type Rows struct {
	columns []stocktake.Field
	bad     error // not nil: no row can be read

	cut  *csvrow.Cutter
	text []byte // of NextText
	dec  csvrow.Decoder
	n    int64 // of the row read last, from 1

	misses int // rows since one had the form of DecodeQuoted
}

// maxMisses is after how many rows of another form the reader stops looking for
// the form of DecodeQuoted. The last row of what is buffered often misses it.
const maxMisses = 16

// NewRows returns a reader of rows with these columns, which has no text yet.
func NewRows(columns []stocktake.Field) Rows {
	return Rows{columns: columns, cut: csvrow.NewCutter(nil), dec: csvrow.Decoder{Columns: columns}, bad: errClosed}
}

var errClosed = errors.New("csvtext: no shard is open")

// Begin sets the text to read, whose rows follow n others of the shard.
func (r *Rows) Begin(text io.Reader, n int64) {
	r.n, r.bad, r.misses = n, nil, 0
	r.cut.Reset(text)
}

// End drops the text. Reading fails until the next Begin.
func (r *Rows) End() { r.text, r.bad = nil, errClosed }

// Next implements [format.Reader].
func (r *Rows) Next() (*format.Row, error) {
	if r.bad != nil {
		return nil, r.bad
	}
	if r.misses < maxMisses {
		if size := r.dec.DecodeQuoted(r.cut.Buffered()); size > 0 {
			r.cut.Skip(size)
			r.n++
			r.misses = 0
			return &r.dec.Row, nil
		}
		r.misses++
	}
	values, err := r.cut.Next()
	if err != nil {
		return nil, r.fault(err)
	}
	r.n++
	return r.decode(values)
}

// NextText implements [format.TextReader].
func (r *Rows) NextText() (text []byte, err error) {
	if r.bad != nil {
		return nil, r.bad
	}
	if r.text, err = r.cut.NextText(); err != nil {
		return nil, r.fault(err)
	}
	r.n++
	return r.text, nil
}

// Row implements [format.TextReader].
func (r *Rows) Row() (*format.Row, error) {
	values, err := r.cut.Cut(r.text)
	if err != nil {
		return nil, &format.RowError{Row: r.n, Err: err}
	}
	return r.decode(values)
}

// fault returns the error for a row that cannot be cut out of the text.
func (r *Rows) fault(err error) error {
	if errors.Is(err, csvrow.ErrQuote) || errors.Is(err, csvrow.ErrRowTooLong) {
		r.bad = err
		return &format.RowError{Row: r.n + 1, Fatal: true, Err: err}
	}
	return err
}

// decode decodes the row read last.
func (r *Rows) decode(values [][]byte) (*format.Row, error) {
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
