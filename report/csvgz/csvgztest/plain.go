// Package csvgztest contains the reference encoder for tests and benchmarks of
// package csvgz.
package csvgztest

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/csvgz"
	"github.com/stocktake/stocktake/report/csvtext"
	"github.com/stocktake/stocktake/report/format"
)

// Plain is csvgz.Format with a plain encoder: the rows of package csvtext,
// compressed by a general compressor of level 1. Its output does not change when
// csvgz improves.
var Plain format.Format = plain{csvgz.Format}

type plain struct{ format.Format }

// NewEncoder implements [format.Format].
func (plain) NewEncoder(bucket string, columns []stocktake.Field) (format.Encoder, error) {
	rows, err := csvtext.Format.NewEncoder(bucket, columns)
	if err != nil {
		return nil, err
	}
	e := &encoder{Encoder: rows}
	e.out = bufio.NewWriterSize(&e.stored, 64<<10)
	e.deflate, err = flate.NewWriter(e.out, flate.BestSpeed)
	return e, err
}

// An encoder compresses the output of an encoder of rows.
type encoder struct {
	format.Encoder
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

// Write compresses rows.
func (e *encoder) Write(rows []byte) (int, error) {
	e.crc = e.crc.Update(rows)
	return e.deflate.Write(rows)
}

func (e *encoder) Reset(w io.Writer) {
	e.stored, e.crc = counter{w: w}, 0
	e.out.Reset(&e.stored)
	e.deflate.Reset(e.out)
	e.Encoder.Reset(e)
}

func (e *encoder) Close() (format.Piece, error) {
	piece, err := e.Encoder.Close()
	if err == nil {
		err = e.deflate.Flush()
	}
	if err == nil {
		err = e.out.Flush()
	}
	piece.Stored, piece.Detail = e.stored.n, e.crc
	return piece, err
}
