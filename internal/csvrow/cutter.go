package csvrow

import (
	"bytes"
	"errors"
	"io"
)

// maxRow is the longest row that is read, in bytes. Rows that we write have at most
// 8 KiB: a key of 1,023 bytes, each encoded as three, and short columns.
const maxRow = 1 << 20

// Errors of text that is not CSV or exceeds a bound.
var (
	ErrRowTooLong = errors.New("a row is longer than 1 MiB")
	ErrQuote      = errors.New("text follows the closing quote of a column, or the quote is missing")
)

// A Cutter cuts CSV text into rows and columns. Columns may be quoted or bare,
// rows may end in LF or CR LF, and the last one may have no line end. A row has
// at most 1 MiB.
type Cutter struct {
	r          io.Reader
	buf        []byte
	start, end int // of the buffered text that is not read yet
	err        error

	columns []column
	values  [][]byte
}

type column struct {
	from, to int
	escaped  bool // holds doubled quotes
}

// NewCutter returns a Cutter that reads r.
func NewCutter(r io.Reader) *Cutter {
	return &Cutter{r: r, buf: make([]byte, 256<<10)}
}

// Reset makes r read src.
func (r *Cutter) Reset(src io.Reader) {
	r.r, r.start, r.end, r.err = src, 0, 0, nil
}

// Next returns the columns of the next row, without their quotes, or io.EOF after
// the last row. They are valid until the next call. After any other error, no more
// rows can be read.
func (r *Cutter) Next() ([][]byte, error) {
	for {
		size, err := r.split(r.buf[r.start:r.end])
		if err != nil {
			r.err, r.start, r.end = err, 0, 0
			return nil, err
		}
		if size > 0 {
			row := r.buf[r.start : r.start+size]
			r.start += size
			return r.unquote(row), nil
		}
		if r.err != nil {
			return nil, r.err
		}
		r.fill()
	}
}

// Buffered returns the buffered text that is not read yet. It is valid until the
// next call of a method other than Skip.
func (r *Cutter) Buffered() []byte { return r.buf[r.start:r.end] }

// Skip skips n bytes of the buffered text.
func (r *Cutter) Skip(n int) { r.start += n }

// NextText returns the text of the next row with its line end, or io.EOF after the
// last row. It is valid until the next call. After any other error, no more rows
// can be read. Cut returns the columns of the text.
func (r *Cutter) NextText() ([]byte, error) {
	for {
		b := r.buf[r.start:r.end]
		size := bytes.IndexByte(b, '\n') + 1
		if size == 0 || bytes.Count(b[:size], quote)%2 != 0 { // the last row, or a line end within a value
			var err error
			if size, err = r.split(b); err != nil {
				r.err, r.start, r.end = err, 0, 0
				return nil, err
			}
		}
		if size > 0 {
			r.start += size
			return b[:size:size], nil
		}
		if r.err != nil {
			return nil, r.err
		}
		r.fill()
	}
}

var quote = []byte{'"'}

// Cut returns the columns of a row from NextText, without their quotes, or ErrQuote
// if text is not a row. It modifies text that has doubled quotes.
func (r *Cutter) Cut(text []byte) ([][]byte, error) {
	if len(text) == 0 || text[len(text)-1] != '\n' { // the last row of the input
		text = append(text, '\n')
	}
	if size, err := r.split(text); err != nil || size != len(text) {
		return nil, ErrQuote
	}
	return r.unquote(text), nil
}

// split finds the columns of the first row in b. It returns the size of the row
// with its line end, or 0 if b does not hold the whole row.
func (r *Cutter) split(b []byte) (size int, err error) {
	r.columns = r.columns[:0]
	for i := 0; ; i++ {
		c := column{from: i}
		if i < len(b) && b[i] == '"' {
			c.from++
			for i++; ; i += 2 {
				n := bytes.IndexByte(b[i:], '"')
				if n < 0 {
					return 0, r.incomplete()
				}
				if i += n; i+1 >= len(b) || b[i+1] != '"' {
					break
				}
				c.escaped = true
			}
			c.to = i
			i++
			if i < len(b) && b[i] == '\r' {
				i++
			}
		} else {
			for i < len(b) && b[i] != ',' && b[i] != '\n' {
				i++
			}
			if c.to = i; i > c.from && b[i-1] == '\r' && (i == len(b) || b[i] == '\n') {
				c.to--
			}
		}
		if i >= len(b) && (r.err != io.EOF || len(b) == 0) {
			return 0, nil // the row is incomplete, or the input has ended
		}
		r.columns = append(r.columns, c)
		switch {
		case i >= len(b):
			return len(b), nil
		case b[i] == '\n':
			return i + 1, nil
		case b[i] != ',':
			return 0, ErrQuote
		}
	}
}

// incomplete returns the error for an open quote at the end of the buffer, or nil
// if more text can be read.
func (r *Cutter) incomplete() error {
	if r.err == io.EOF {
		return ErrQuote
	}
	return nil
}

func (r *Cutter) unquote(row []byte) [][]byte {
	r.values = r.values[:0]
	for _, c := range r.columns {
		v := row[c.from:c.to]
		if c.escaped {
			v = undouble(v)
		}
		r.values = append(r.values, v)
	}
	return r.values
}

// undouble halves doubled quotes in place.
func undouble(v []byte) []byte {
	n := 0
	for i := 0; i < len(v); i++ {
		v[n] = v[i]
		n++
		if v[i] == '"' {
			i++
		}
	}
	return v[:n]
}

// fill fills the buffer and grows it up to maxRow.
func (r *Cutter) fill() {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		if len(r.buf) >= maxRow {
			r.err, r.end = ErrRowTooLong, 0
			return
		}
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	// After each fill, Next scans the row from its beginning, so read much at once.
	for idle := 0; r.end < len(r.buf) && r.err == nil; {
		var n int
		n, r.err = r.r.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 && r.err == nil {
			r.err = io.ErrNoProgress
		}
	}
}
