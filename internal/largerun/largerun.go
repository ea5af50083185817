// Package largerun generates runs of buckets that are too large to list in a test or a bench: a
// source that computes its keys by a formula, and the results of its slices.
package largerun

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// A Bucket is a bucket of another store that has Rows objects. It implements
// [engine.Source] and lists pages of 1,000 keys of 78 bytes.
type Bucket struct {
	Rows      int64     // at least 1, at most 10^11
	ShardRows int64     // of each shard; at least 1
	Start     time.Time // of every snapshot

	// Prefixes is how many objects of a slice are in its roll-up. More objects make the roll-up
	// larger, up to its limit.
	Prefixes int64
}

var _ engine.Source = (*Bucket)(nil)

// folderRows is how many objects lie below a folder of the third level.
const folderRows = 1_000_000

// Key returns the n-th key, from 0.
func (b *Bucket) Key(n int64) string {
	folder := n / folderRows
	return fmt.Sprintf("tenants/%05d/2026-01-%02d/exports/part-%06d/c0ffee00c0ffee00c0ffee00c0ffee00.json", folder/16, folder%16+1, n%folderRows)
}

// Rank returns how many keys come before key.
func (b *Bucket) Rank(key string) int64 {
	return int64(sort.Search(int(b.Rows), func(n int) bool { return b.Key(int64(n)) >= key }))
}

// bounds returns the numbers of the first key of a segment and of the first key after it.
func (b *Bucket) bounds(seg *engine.Segment) (first, end int64) {
	first, end = b.Rank(seg.From), b.Rows
	if seg.To != "" {
		end = b.Rank(seg.To)
	}
	return first, max(first, end)
}

func (b *Bucket) record(n int64) stocktake.Record {
	return stocktake.Record{Key: []byte(b.Key(n)), Size: n % 100_000, IsLatest: true, LastModified: b.Start.Unix() - n%1_000_000}
}

// Snapshot implements [engine.Source].
func (b *Bucket) Snapshot(context.Context, string) (engine.Snapshot, error) { return snapshot{b}, nil }

type snapshot struct{ b *Bucket }

var _ engine.PagedSnapshot = snapshot{}

func (s snapshot) Time() time.Time                                      { return s.b.Start }
func (s snapshot) Consistency() stocktake.Consistency                   { return stocktake.ConsistencyWindow }
func (s snapshot) Count(context.Context, string) (int64, error)         { return -1, nil }
func (s snapshot) Split(context.Context, string, int) ([]string, error) { return nil, nil }
func (s snapshot) Requests() int                                        { return 4 }
func (s snapshot) Close() error                                         { return nil }

// Scan implements [engine.Snapshot].
func (s snapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func(batch []stocktake.Record) error) error {
	return s.Pages(ctx, seg, versions, func(batch []stocktake.Record, _ bool) error { return yield(batch) })
}

// Pages implements [engine.PagedSnapshot].
func (s snapshot) Pages(ctx context.Context, seg engine.Segment, _ bool, yield func(batch []stocktake.Record, more bool) error) error {
	const page = 1000
	first, end := s.b.bounds(&seg)
	batch := make([]stocktake.Record, 0, page)
	for first < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch = batch[:0]
		for ; first < end && len(batch) < page; first++ {
			batch = append(batch, s.b.record(first))
		}
		if err := yield(batch, first < end); err != nil {
			return err
		}
	}
	return nil
}
