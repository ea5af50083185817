package report

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/stocktake/stocktake"
)

// flushSize is how many bytes of rows are gathered before they are compressed.
const flushSize = 64 << 10

// Gzip is the plain [Compressor]: an [Encoder] and a general gzip writer of
// level 1. It is the reference for faster ones.
type Gzip struct {
	rows *Encoder
	buf  []byte
	gz   *gzip.Writer
	out  *bufio.Writer // the gzip writer writes some 200 bytes at a time
}

// NewGzip returns a Gzip for a report of bucket with columns. Errors are those
// of [NewEncoder].
func NewGzip(bucket string, columns []stocktake.Field) (*Gzip, error) {
	rows, err := NewEncoder(bucket, columns)
	if err != nil {
		return nil, err
	}
	gz, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	return &Gzip{
		rows: rows, gz: gz,
		buf: make([]byte, 0, flushSize+4096),
		out: bufio.NewWriterSize(nil, flushSize),
	}, nil
}

// Reset implements [Compressor].
func (g *Gzip) Reset(w io.Writer) {
	g.buf = g.buf[:0]
	g.out.Reset(w)
	g.gz.Reset(g.out)
}

// Encode implements [Compressor].
func (g *Gzip) Encode(batch []stocktake.Record) (size int64, err error) {
	for i := range batch {
		before := len(g.buf)
		g.buf = g.rows.AppendRow(g.buf, &batch[i])
		size += int64(len(g.buf) - before)
		if len(g.buf) >= flushSize {
			if err := g.flush(); err != nil {
				return size, err
			}
		}
	}
	return size, nil
}

func (g *Gzip) flush() error {
	_, err := g.gz.Write(g.buf)
	g.buf = g.buf[:0]
	return err
}

// Close implements [Compressor].
func (g *Gzip) Close() error {
	if err := g.flush(); err != nil {
		return err
	}
	if err := g.gz.Close(); err != nil {
		return err
	}
	return g.out.Flush()
}
