package report

import (
	"context"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// checkIndex checks the index on its own. It returns the pieces of the index; nil
// if the index is empty or inconsistent.
func (c *shardCheck) checkIndex() []stocktake.SummaryPiece {
	if c.summary == nil {
		return nil
	}
	pieces := c.summary.Pieces
	if len(pieces) > maxIndexEntries {
		c.find(CheckPieces, 0, "the index has %d pieces, more than %d", len(pieces), maxIndexEntries)
		return nil
	}
	for i, p := range pieces {
		switch {
		case p.Row < 0 || p.Offset < 0 || p.Offset >= c.file.Size:
			c.find(CheckPieces, 0, "a piece begins at row %d, byte %d of %d", p.Row+1, p.Offset, c.file.Size)
			return nil
		case i > 0 && (p.Row <= pieces[i-1].Row || p.Offset <= pieces[i-1].Offset):
			c.find(CheckPieces, 0, "a piece begins at row %d, byte %d, after one at row %d, byte %d", p.Row+1, p.Offset, pieces[i-1].Row+1, pieces[i-1].Offset)
			return nil
		}
	}
	return pieces
}

// checkPieceKey compares the key of row n, from 1, with the index if a piece begins
// there.
func (c *shardCheck) checkPieceKey(key []byte, n int64) {
	if len(c.nextPieces) == 0 || c.nextPieces[0].Row != n-1 {
		return
	}
	if got := string(AppendKey(nil, key)); got != c.nextPieces[0].FirstKey {
		c.find(CheckPieces, n, "the key is %.200q, the summary says %.200q", got, c.nextPieces[0].FirstKey)
	}
	c.nextPieces = c.nextPieces[1:]
}

// checkPieces reads the first row of each piece from where the index says that it
// begins, unless the shard itself says where its pieces begin: then their first
// keys have been compared as the rows were read. The index of a file that is
// damaged is not checked.
func (c *shardCheck) checkPieces(ctx context.Context, reader format.Reader, f *summedFile, pieces []stocktake.SummaryPiece) error {
	for _, f := range c.findings {
		if f.Check == CheckFormat || f.Check == CheckSize {
			return nil
		}
	}
	if len(c.nextPieces) > 0 {
		c.find(CheckPieces, 0, "a piece begins at row %d of %d", c.nextPieces[0].Row+1, c.rows)
	}
	if indexed, ok := reader.(format.Indexed); ok {
		for _, p := range pieces {
			if !indexed.HasPlace(format.Place{Row: p.Row, Offset: p.Offset}) {
				c.find(CheckPieces, p.Row+1, "no piece begins at byte %d", p.Offset)
			}
		}
		return nil
	}
	for _, p := range pieces {
		err := reader.Open(ctx, f, format.Place{Row: p.Row, Offset: p.Offset})
		var row *Row
		if err == nil {
			row, err = reader.Next()
		}
		switch {
		case f.err != nil:
			return f.err
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.find(CheckPieces, p.Row+1, "no row can be read at byte %d: %v", p.Offset, err)
		default:
			if got := string(AppendKey(nil, row.Key)); got != p.FirstKey {
				c.find(CheckPieces, p.Row+1, "the key at byte %d is %.200q, the summary says %.200q", p.Offset, got, p.FirstKey)
			}
		}
	}
	return nil
}
