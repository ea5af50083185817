// Package csvgztest has the reference that package csvgz is measured against
// and compared with.
package csvgztest

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/report/csvgz"
	"github.com/stocktake/stocktake/report/format"
)

// Plain is csvgz.Format with a plain encoder: rows are made first, then
// compressed by a general compressor of level 1. Its bytes do not change when
// csvgz learns to make them smaller.
var Plain format.Format = plain{csvgz.Format}

type plain struct{ format.Format }

func (plain) NewEncoder(bucket string, columns []stocktake.Field) (format.Encoder, error) {
	rows, err := csvrow.NewEncoder(bucket, columns)
	if err != nil {
		return nil, err
	}
	e := &encoder{rows: rows, buf: make([]byte, 0, flushSize+4096)}
	e.out = bufio.NewWriterSize(&e.stored, flushSize)
	e.deflate, err = flate.NewWriter(e.out, flate.BestSpeed)
	return e, err
}

// flushSize is how many bytes of rows are gathered before they are compressed.
const flushSize = 64 << 10

type encoder struct {
	rows    *csvrow.Encoder
	buf     []byte
	piece   format.Piece
	crc     csvgz.Checksum
	deflate *flate.Writer
	out     *bufio.Writer // the compressor writes some 200 bytes at a time
	stored  counter
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (e *encoder) Reset(w io.Writer) {
	e.stored = counter{w: w}
	e.buf, e.piece, e.crc = e.buf[:0], format.Piece{}, 0
	e.out.Reset(&e.stored)
	e.deflate.Reset(e.out)
}

func (e *encoder) Encode(batch []stocktake.Record) (size int64, err error) {
	for i := range batch {
		before := len(e.buf)
		e.buf = e.rows.AppendRow(e.buf, &batch[i])
		size += int64(len(e.buf) - before)
		if len(e.buf) >= flushSize {
			if err := e.flush(); err != nil {
				return size, err
			}
		}
	}
	e.piece.Rows += int64(len(batch))
	e.piece.Size += size
	return size, nil
}

func (e *encoder) flush() error {
	e.crc = e.crc.Update(e.buf)
	_, err := e.deflate.Write(e.buf)
	e.buf = e.buf[:0]
	return err
}

func (e *encoder) Close() (format.Piece, error) {
	if err := e.flush(); err != nil {
		return format.Piece{}, err
	}
	if err := e.deflate.Flush(); err != nil {
		return format.Piece{}, err
	}
	if err := e.out.Flush(); err != nil {
		return format.Piece{}, err
	}
	e.piece.Stored, e.piece.Detail = e.stored.n, e.crc
	return e.piece, nil
}
