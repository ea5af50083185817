package largerun

import (
	"context"
	"crypto/md5"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

const (
	largePieces = 32 // the greatest number of pieces in the summary of a shard
	shardBytes  = 40 // of each row, about
	parts       = 64 // into which the rest of a slice can be cut, as the engine does
)

// ScanSlice returns the result of [engine.ScanSlice] for a slice that ended with its first
// shard. It writes the shard without content, and does not read src.
func (b *Bucket) ScanSlice(ctx context.Context, _ engine.Source, dst engine.Destination, job engine.Job, slice engine.Slice, _ engine.Options) ([]engine.SliceResult, error) {
	first, end := b.bounds(&slice.Segment)
	n := min(end-first, b.ShardRows)
	r := b.Result(job, slice, first, n)
	if r.Done = first+n == end; !r.Done {
		r.Next.Key = b.Key(first + n - 1)
		r.Left = end - first - n
		step := max(r.Left/parts, b.ShardRows)
		for at := first + n + step; at < end; at += step {
			r.Cuts = append(r.Cuts, b.Key(at))
		}
	}
	for i := range r.Files {
		if err := Write(ctx, dst, r.Files[i].Key); err != nil {
			return nil, err
		}
	}
	return []engine.SliceResult{r}, nil
}

// Write writes a shard without content.
func Write(ctx context.Context, dst engine.Destination, key string) error {
	f, err := dst.Create(ctx, key, engine.FileOptions{})
	if err != nil {
		return err
	}
	defer f.Abort() //nolint:errcheck // after Commit it does nothing
	return f.Commit(ctx, md5.Sum(nil))
}

// Result returns the result of a slice that has read n objects, beginning with the object
// number first, into one shard, or into none if n is 0. The caller sets what is left.
func (b *Bucket) Result(job engine.Job, slice engine.Slice, first, n int64) engine.SliceResult {
	r := engine.SliceResult{Slice: slice, Done: true, Listed: n, Snapshot: b.Start, End: b.Start, Rollup: b.rollup(first, n)}
	if n == 0 {
		return r
	}
	r.Files = []stocktake.SummaryFile{b.file(job, slice.Number, slice.Shards, first, n)}
	record := b.record(first)
	var some report.Totals // 2^i times the record
	some.Add(&record)
	for left := n; left > 0; left >>= 1 {
		if left&1 == 1 {
			r.Totals.Merge(&some)
		}
		twice := some
		some.Merge(&twice)
	}
	return r
}

// file returns a shard as in the summary.
func (b *Bucket) file(job engine.Job, segment, shard int, first, n int64) stocktake.SummaryFile {
	f := stocktake.SummaryFile{
		Key: engine.ShardKey(&job, segment, shard, ".csv.gz"), Size: n * shardBytes, Rows: n, FirstKey: b.Key(first), LastKey: b.Key(first + n - 1),
		MD5: fmt.Sprintf("%032X", first), SHA256: fmt.Sprintf("%064x", first),
	}
	for p := range min(largePieces, n) {
		row := p * n / largePieces
		f.Pieces = append(f.Pieces, stocktake.SummaryPiece{Row: row, Offset: row * shardBytes, FirstKey: b.Key(first + row)})
	}
	return f
}

// rollup returns a roll-up of some of n objects.
func (b *Bucket) rollup(first, n int64) *rollup.Rollup {
	builder := rollup.New(rollup.Options{Start: b.Start})
	some := min(max(b.Prefixes, 1), n)
	for i := range some {
		builder.Add([]stocktake.Record{b.record(first + i*n/some)})
	}
	return builder.Part()
}

// Join returns the result of a slice from the results of its parts, in order. There is at least
// one part.
func Join(parts []engine.SliceResult) engine.SliceResult {
	whole := parts[0]
	for i := range parts[1:] {
		p := &parts[1+i]
		whole.Files = append(whole.Files, p.Files...)
		whole.Listed += p.Listed
		whole.Totals.Merge(&p.Totals)
		whole.Rollup = rollup.Merge(whole.Rollup, p.Rollup)
		whole.Done, whole.Next = p.Done, p.Next
	}
	whole.Left, whole.Cuts = 0, nil
	return whole
}
