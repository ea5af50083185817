package parquet

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// An Encoder encodes records as row groups. It is a [format.Encoder]. It is not
// safe for concurrent use. It holds a compressed row group, some 8 MiB with pieces
// of the recommended size, and a page of each column.
type Encoder struct {
	w       io.Writer
	columns []*column
	err     error
	rows    int64
	size    int64

	compressor *compressor
	header     structWriter
	head       []byte // scratch: the bytes before the values of a page, or the whole page
	stored     []byte // scratch: a page, compressed
}

// New returns an Encoder for reports of bucket with the given columns: Bucket, Key,
// then any other columns of full reports, each once. Other columns are an error.
func New(bucket string, columns []stocktake.Field) (*Encoder, error) {
	if err := check(bucket, columns); err != nil {
		return nil, err
	}
	z, err := newCompressor()
	if err != nil {
		return nil, err
	}
	e := &Encoder{compressor: z, err: errors.New("parquet: no piece begun")}
	for _, f := range columns {
		e.columns = append(e.columns, newColumn(f, appendText(nil, []byte(bucket))))
	}
	return e, nil
}

// Reset implements [format.Encoder].
func (e *Encoder) Reset(w io.Writer) {
	e.w, e.err, e.rows, e.size = w, nil, 0, 0
	for _, c := range e.columns {
		c.reset()
	}
}

// Encode implements [format.Encoder]. It allocates nothing per record.
func (e *Encoder) Encode(batch []stocktake.Record) (size int64, err error) {
	if e.err != nil {
		return 0, e.err
	}
	for len(batch) > 0 {
		n := min(len(batch), pageRows-e.columns[0].rows)
		for _, c := range e.columns {
			size += c.add(batch[:n])
		}
		batch = batch[n:]
		e.rows += int64(n)
		if e.columns[0].rows == pageRows {
			e.finish()
		}
	}
	e.size += size
	return size, nil
}

// finish ends the page of each column.
func (e *Encoder) finish() {
	for _, c := range e.columns {
		c.finish(e)
	}
}

// Close implements [format.Encoder].
func (e *Encoder) Close() (format.Piece, error) {
	if e.err != nil {
		return format.Piece{}, e.err
	}
	e.err = errors.New("parquet: piece closed")
	p := format.Piece{Rows: e.rows, Size: e.size}
	group := &rowGroup{ascending: true, chunks: make([]chunk, len(e.columns))}
	p.Detail = group
	if e.rows == 0 {
		return p, nil
	}
	e.finish()
	for i, c := range e.columns {
		dictionary := e.dictionary(c)
		group.chunks[i] = c.describe(p.Stored, int64(len(dictionary)))
		if c.kind == keys {
			group.ascending = !c.order.disorder
		}
		for _, b := range [][]byte{dictionary, c.out} {
			n, err := e.w.Write(b)
			p.Stored += int64(n)
			if err == nil && n < len(b) {
				err = io.ErrShortWrite
			}
			if err != nil {
				e.err = err
				return format.Piece{}, err
			}
		}
	}
	return p, nil
}

// dictionary returns the dictionary page of a column, or nil if it has none.
func (e *Encoder) dictionary(c *column) []byte {
	if c.kind != words {
		return nil
	}
	e.head = e.head[:0]
	n := len(c.dict.words)
	for code := range n {
		v := c.word(code)
		e.head = binary.LittleEndian.AppendUint32(e.head, uint32(len(v)))
		e.head = append(e.head, v...)
	}
	e.stored = e.compressor.appendFrame(e.stored[:0], e.head, nil)
	page := appendPage(nil, &e.header, true, n, encodingPlain, len(e.head), e.stored)
	c.chunk.size += int64(len(e.head)) + int64(len(page)) - int64(len(e.stored))
	return page
}

// describe returns the description of the column's chunk at an offset in the row
// group, after a dictionary page of the given size.
func (c *column) describe(offset, dictionary int64) chunk {
	ch := c.chunk
	ch.offset, ch.data = offset, offset+dictionary
	ch.stored = dictionary + int64(len(c.out))
	ch.indexed = true
	for i := range ch.pages {
		p := &ch.pages[i]
		p.offset += ch.data
		ch.indexed = ch.indexed && (p.min != nil || p.empty)
		ch.bounds = ch.bounds.merge(c.kind, p.bounds)
	}
	if !ch.indexed {
		ch.bounds = bounds{}
	}
	return ch
}
