package main

import (
	"context"
	"errors"
	"iter"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/report"
)

// liveRows are the objects of a bucket as it is now: [report.Rows] of what a
// listing shows.
type liveRows struct {
	snap     engine.Snapshot
	name     string // of the bucket, for errors
	prefix   string // of the keys that are asked for
	versions bool
}

// openLive returns the rows of a bucket. The caller calls close.
func openLive(ctx context.Context, r *reportRemote, a reportplace.Address, prefix string, versions bool) (*liveRows, error) {
	s, err := r.store(a)
	if err != nil {
		return nil, err
	}
	snap, err := s.Source().Snapshot(ctx, a.Bucket)
	if err != nil {
		return nil, explain(err, "list "+a.URL())
	}
	return &liveRows{snap, a.URL(), prefix, versions}, nil
}

func (l *liveRows) close() error { return l.snap.Close() }

// Source implements [report.Rows].
func (l *liveRows) Source() string { return l.name }

// Has implements [report.Rows]: these are the columns that the listings of all
// stores have.
func (l *liveRows) Has(f stocktake.Field) bool {
	switch f {
	case stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker:
		return l.versions
	case stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass:
		return true
	}
	return false
}

var errEnough = errors.New("enough rows")

// Read implements [report.Rows].
func (l *liveRows) Read(ctx context.Context, q report.Query) iter.Seq2[*report.Row, error] {
	return func(yield func(*report.Row, error) bool) {
		seg := engine.Segment{Prefix: l.prefix, From: string(q.Keys.From), To: string(q.Keys.To)}
		var row report.Row
		err := l.snap.Scan(ctx, seg, l.versions, func(batch []stocktake.Record) error {
			for i := range batch {
				row = report.Row{Record: batch[i]}
				if !yield(&row, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, explain(err, "list "+l.name))
		}
	}
}
