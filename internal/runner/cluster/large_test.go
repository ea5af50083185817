package cluster_test

import (
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/largerun"
	"github.com/stocktake/stocktake/report"
)

// A run of many slices, each with a shard, is planned, summed up and published by several
// processes, without a last report and with one. bench shards makes it with ten thousand.
func TestManyShards(t *testing.T) {
	const shards = 120
	w := newWorld(t, "flat", 10)
	w.large = &largerun.Bucket{Rows: shards * 1000, ShardRows: 1000, Start: time.Now().UTC().Truncate(time.Second), Prefixes: 50}
	a := w.start("a", w.address, 3)
	b := w.start("b", w.address, 3)
	id := w.put(a, "all", "")
	for round := range 2 {
		r := w.ended(b, id)
		if r.State != stocktake.Succeeded || r.Attempt != 1 || r.Listed != w.large.Rows || r.Matched != w.large.Rows || r.Shards < shards {
			t.Fatalf("run %d: %+v", round, r)
		}
		dst, err := dirbucket.Open(w.reports)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := report.Open(t.Context(), dst, r.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(rep.Manifest.Files); n != r.Shards {
			t.Errorf("run %d: %d files, %d shards", round, n, r.Shards)
		}
		var rows int64
		s := rep.Summary
		for i := range s.Files {
			if at := w.large.Rank(s.Files[i].FirstKey); at != rows {
				t.Fatalf("run %d: shard %d begins with object %d, after %d", round, i, at, rows)
			}
			rows += s.Files[i].Rows
		}
		if rows != w.large.Rows {
			t.Errorf("run %d: %d rows", round, rows)
		}
		if round == 0 {
			again, err := b.Run(t.Context(), "photos", "all")
			if err != nil {
				t.Fatal(err)
			}
			id = again.ID
		}
	}
}
