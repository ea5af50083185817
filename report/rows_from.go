package report

import (
	"bytes"
	"context"
	"iter"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// RowsFrom yields the rows whose object key is at least key, in the order of the
// report, as Rows does. If the report has a summary, its rows ascend by key, and
// only the shards and pieces that may have such rows are read: to find a key is
// to read one piece, of about a thirtieth of a shard.
func (r *Report) RowsFrom(ctx context.Context, key []byte) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		reader := r.Format.NewReader(r.Columns)
		for i, f := range r.Manifest.Files {
			var at format.Place
			if s := r.summaryFile(i); s != nil {
				if last, err := ParseKey(s.LastKey); err == nil && bytes.Compare(last, key) < 0 {
					continue
				}
				at = placeBefore(s.Pieces, key)
			}
			for row, err := range r.shard(ctx, reader, f, at) {
				if err == nil && bytes.Compare(row.Key, key) < 0 {
					continue
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// summaryFile returns what the summary has about a file of the manifest; nil if
// nothing.
func (r *Report) summaryFile(i int) *stocktake.SummaryFile {
	if r.Summary == nil || i >= len(r.Summary.Files) || r.Summary.Files[i].Key != r.Manifest.Files[i].Key {
		return nil
	}
	return &r.Summary.Files[i]
}

// placeBefore returns where the last piece begins that has no row with the key
// given before it: the last one whose first key is less, as the rows of one key
// may lie in two pieces.
func placeBefore(pieces []stocktake.SummaryPiece, key []byte) (at format.Place) {
	for _, p := range pieces {
		first, err := ParseKey(p.FirstKey)
		if err != nil || bytes.Compare(first, key) >= 0 {
			break
		}
		at = format.Place{Row: p.Row, Offset: p.Offset}
	}
	return at
}
