package report

import (
	"context"
	"io"
	"iter"

	"github.com/stocktake/stocktake"
)

// A Query says which rows and columns of a report to read. The zero value selects
// everything.
type Query struct {
	Keys KeyRange

	// Columns are the columns to read; nil: all of the report. Reading few is
	// faster. The key is always read. Values of other columns in a Row are
	// undefined.
	Columns []stocktake.Field
}

// Rows yields all rows of the report in the order of its shards, as Read does.
func (r *Report) Rows(ctx context.Context) iter.Seq2[*Row, error] { return r.Read(ctx, Query{}) }

// Read yields rows in the order of the report. A row is valid until the next one;
// an error is the last pair; it is a *[RowError] if a row is at fault.
//
// If the report has a summary, its rows ascend by key, and only the shards and
// pieces that may have rows of the range are read: finding a key reads one piece,
// about a thirtieth of a shard. Otherwise all shards are read.
func (r *Report) Read(ctx context.Context, q Query) iter.Seq2[*Row, error] {
	if r.applied != nil {
		return r.applied.rows(ctx, q)
	}
	return func(yield func(*Row, error) bool) {
		s := newScan(r, q)
		defer s.close()
		for {
			row, err := s.next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// Find yields the rows whose key starts with prefix, as Read does. The versions
// of the key that is prefix itself, if there is one, come first.
func (r *Report) Find(ctx context.Context, prefix []byte) iter.Seq2[*Row, error] {
	return r.Read(ctx, Query{Keys: PrefixRange(prefix)})
}

// Has reports whether the report has the column.
func (r *Report) Has(f stocktake.Field) bool {
	for _, c := range r.Columns {
		if c == f {
			return true
		}
	}
	return false
}

// Ordered reports whether the rows ascend by key, with the versions of a key next
// to each other. Full reports with a summary, which are ours, promise that. The
// rows of an incremental report are in the order of their changes.
func (r *Report) Ordered() bool { return r.Summary != nil && !r.Incremental() }
