// Package csvtext is CSV without compression: the format of incremental reports.
//
// Source: OSS developer guide, bucket inventory, incremental inventory.
package csvtext

import (
	"errors"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/report/format"
)

// Format is CSV without compression. Its reader reads rows of full and of
// incremental reports. Its encoder is for full reports, as with every format;
// changes are encoded by a [csvrow.Encoder] directly, since files of changes
// consist of rows alone.
var Format format.Format = csvText{}

type csvText struct{}

func (csvText) Name() string   { return stocktake.FormatCSV }
func (csvText) Suffix() string { return ".csv" }

// ContentType implements [format.Format].
//
// Source: spec inventory-report.md, section 2.
func (csvText) ContentType() string { return "text/csv" }

// PieceRows implements [format.Format]. A piece is rows and nothing else.
func (csvText) PieceRows() int64 { return 1 << 15 }

func (csvText) Schema(columns []stocktake.Field) string { return stocktake.FileSchema(columns) }

func (csvText) ParseSchema(schema string) (columns []stocktake.Field, names []string, err error) {
	return stocktake.ParseFileSchema(schema)
}

func (csvText) NewEncoder(bucket string, columns []stocktake.Field) (format.Encoder, error) {
	rows, err := csvrow.NewEncoder(bucket, columns)
	if err != nil {
		return nil, fmt.Errorf("csvtext: %w", err)
	}
	return &encoder{rows: rows}, nil
}

func (csvText) NewJoiner(bucket string, columns []stocktake.Field) (format.Joiner, error) {
	if _, err := csvrow.NewEncoder(bucket, columns); err != nil {
		return nil, fmt.Errorf("csvtext: %w", err)
	}
	return joiner{}, nil
}

func (csvText) NewReader(columns []stocktake.Field) format.Reader { return newReader(columns) }

// flushSize is how many bytes of rows are gathered before they are written.
const flushSize = 64 << 10

type encoder struct {
	rows  *csvrow.Encoder
	buf   []byte
	piece format.Piece
	w     io.Writer
}

func (e *encoder) Reset(w io.Writer) { e.w, e.buf, e.piece = w, e.buf[:0], format.Piece{} }

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
	n, err := e.w.Write(e.buf)
	if err == nil && n < len(e.buf) {
		err = io.ErrShortWrite
	}
	e.piece.Stored += int64(n)
	e.buf = e.buf[:0]
	return err
}

func (e *encoder) Close() (format.Piece, error) {
	if e.w == nil {
		return format.Piece{}, errors.New("csvtext: no piece is begun")
	}
	err := e.flush()
	return e.piece, err
}

// joiner adds nothing to the pieces: rows follow each other. At the beginning of a
// shard it writes zero bytes, to get the error of a writer that has failed.
type joiner struct{}

func (joiner) Describe(format.Origin) {}

func (joiner) Begin(w io.Writer) error {
	_, err := w.Write(nil)
	return err
}

func (joiner) Add(format.Piece) error { return nil }

func (joiner) End() error { return nil }
