package report

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/rollup"
)

// encodeBatch is how many records are encoded at once.
const encodeBatch = 512

// A pieceEncoder encodes the rows of a range as pieces.
type pieceEncoder struct {
	enc   format.Encoder
	batch []stocktake.Record
	arena []byte // the bytes that the records of batch point to

	out    *bytes.Buffer
	rows   int64 // of the piece, with those of batch
	first  []byte
	last   []byte // key of the last row, of this piece or the one before
	totals Totals
	sums   *rollup.Builder // of all pieces
}

// encode reads the rows of keys and emits them as pieces. It returns their totals.
func (c *converter) encode(ctx context.Context, keys KeyRange, emit func(*convertedPiece) error) (*rollup.Rollup, error) {
	enc, err := c.opts.Format.NewEncoder(c.bucket, c.opts.Columns)
	if err != nil {
		return nil, err
	}
	most := c.opts.Limits.PieceRows
	if most == 0 {
		most = c.opts.Format.PieceRows()
	}
	if c.opts.Limits.Rows > 0 {
		most = min(most, c.opts.Limits.Rows)
	}
	sums := c.from.rollupOptions()
	sums.Versions = slices.Contains(c.opts.Columns, stocktake.FieldIsLatest)
	p := &pieceEncoder{enc: enc, sums: rollup.New(sums)}
	for row, err := range c.source.Read(ctx, Query{Keys: keys, Columns: c.needed()}) {
		if err != nil {
			return nil, err
		}
		if bytes.Compare(row.Key, p.last) < 0 {
			return nil, fmt.Errorf("%s: %w: %.200q comes after %.200q", c.from.Key, ErrDisorder, row.Key, p.last)
		}
		if c.opts.Match != nil && !c.opts.Match.Match(&row.Record) {
			continue
		}
		c.strip(&row.Record)
		if err := p.add(&row.Record); err != nil {
			return nil, err
		}
		if p.rows == most {
			if err := p.end(emit); err != nil {
				return nil, err
			}
		}
	}
	if err := p.end(emit); err != nil {
		return nil, err
	}
	return p.sums.Part(), nil
}

// needed are the columns that are read. A matcher does not say which columns it
// needs.
func (c *converter) needed() []stocktake.Field {
	if c.opts.Match != nil {
		return c.from.Columns
	}
	return c.opts.Columns
}

// counted are the columns that totals are made of.
var counted = [...]stocktake.Field{
	stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker,
	stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldStorageClass,
}

// strip removes values that are counted but have no column in the new report.
func (c *converter) strip(r *stocktake.Record) {
	for _, f := range counted {
		if slices.Contains(c.opts.Columns, f) {
			continue
		}
		switch f {
		case stocktake.FieldVersionID:
			r.VersionID = nil
		case stocktake.FieldIsLatest:
			r.IsLatest = false
		case stocktake.FieldIsDeleteMarker:
			r.IsDeleteMarker = false
		case stocktake.FieldSize:
			r.Size = 0
		case stocktake.FieldLastModifiedDate:
			r.LastModified = 0
		case stocktake.FieldStorageClass:
			r.StorageClass = stocktake.Standard
		}
	}
}

// add adds a record, which it copies.
func (p *pieceEncoder) add(r *stocktake.Record) error {
	if p.rows == 0 {
		p.out = new(bytes.Buffer)
		p.enc.Reset(p.out)
		p.first = append([]byte(nil), r.Key...)
		p.totals = Totals{}
	}
	p.rows++
	p.totals.Add(r)
	p.last = append(p.last[:0], r.Key...)
	kept := *r
	kept.Key, kept.VersionID, kept.ETag.Text = p.keep(r.Key), p.keep(r.VersionID), p.keep(r.ETag.Text)
	p.batch = append(p.batch, kept)
	if len(p.batch) < encodeBatch {
		return nil
	}
	return p.flush()
}

// keep copies v until the next flush.
func (p *pieceEncoder) keep(v []byte) []byte {
	if v == nil {
		return nil
	}
	n := len(p.arena)
	p.arena = append(p.arena, v...)
	return p.arena[n:len(p.arena):len(p.arena)]
}

func (p *pieceEncoder) flush() error {
	p.sums.Add(p.batch)
	_, err := p.enc.Encode(p.batch)
	p.batch, p.arena = p.batch[:0], p.arena[:0]
	return err
}

// end emits the piece, if it has rows.
func (p *pieceEncoder) end(emit func(*convertedPiece) error) error {
	if p.rows == 0 {
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	piece, err := p.enc.Close()
	if err != nil {
		return err
	}
	p.rows = 0
	return emit(&convertedPiece{
		EncodedPiece{Piece: piece, Blocks: [][]byte{p.out.Bytes()}, First: p.first, Last: bytes.Clone(p.last)}, p.totals,
	})
}
