package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/rollup"
)

// made are the results of a run of many slices, which are generated on demand: each
// is one shard of a million rows.
type made struct {
	slices int
	start  time.Time
	live   func() // called now and then while they are summed up
}

func (m made) key(i int) string { return fmt.Sprintf("tenant-%05d/day-%03d/", i/16, i%16) }

func (m made) slice(i int) Slice {
	s := Slice{Number: i, Start: m.start}
	if i > 0 {
		s.Segment.From = m.key(i)
	}
	if i+1 < m.slices {
		s.Segment.To = m.key(i + 1)
	}
	return s
}

// Reaches yields them in no order.
func (m made) Reaches(_ context.Context, yield func(Reach) error) error {
	for _, i := range m.order() {
		if err := yield(Reach{Slice: m.slice(i), Done: true, Listed: 1_000_000}); err != nil {
			return err
		}
	}
	return nil
}

func (m made) order() []int { return rand.New(rand.NewPCG(1, 1)).Perm(m.slices) }

func (m made) InOrder(_ context.Context, numbers []int, yield func(*SliceResult) error) error {
	order := m.order()
	b := rollup.New(rollup.Options{Start: m.start})
	var records [20]stocktake.Record
	for n, number := range numbers {
		i := order[number]
		b.Reset()
		for j := range records {
			records[j] = stocktake.Record{Key: fmt.Appendf(nil, "%shour-%02d/part.gz", m.key(i), j), Size: int64(i*j + 1), IsLatest: true, LastModified: m.start.Unix() - int64(j*i)}
		}
		b.Add(records[:])
		r := SliceResult{Slice: m.slice(i), Done: true, Listed: 1_000_000, Rollup: b.Part(), Snapshot: m.start, End: m.start}
		r.Files = []stocktake.SummaryFile{{Key: fmt.Sprintf("data/%d.csv.gz", i), Rows: 1_000_000, Size: 50 << 20, FirstKey: m.key(i)}}
		for j := range records {
			r.Totals.Add(&records[j])
		}
		if err := yield(&r); err != nil {
			return err
		}
		if n%500 == 499 {
			m.live()
		}
	}
	return nil
}

// Summing up thousands of slices takes memory for their shards, not for their
// roll-ups, which would be some thirty megabytes here.
func TestSummarizeInBoundedMemory(t *testing.T) {
	m := made{slices: 3_000, start: time.Unix(1767225600, 0)}
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before, most := heap(), uint64(0)
	m.live = func() { most = max(most, heap()) }
	r, err := newRun(nil, Job{Run: "r", Attempt: 1, Bucket: "b", Configuration: stocktake.InventoryConfiguration{
		ID: "all", Destination: stocktake.Destination{Bucket: "reports", Format: stocktake.FormatCSV},
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.summarize(t.Context(), &RunPlan{Start: m.start, Consistency: stocktake.ConsistencySnapshot}, m)
	if err != nil {
		t.Fatal(err)
	}
	if s.summary.Listed != 3_000_000_000 || len(s.summary.Files) != m.slices || s.rollup == nil || s.rollup.Objects != int64(20*m.slices) {
		t.Errorf("%d listed, %d files, roll-up %+v", s.summary.Listed, len(s.summary.Files), s.rollup)
	}
	for i, f := range s.summary.Files {
		if f.FirstKey != m.key(i) {
			t.Fatalf("shard %d begins at %s", i, f.FirstKey)
		}
	}
	if n := len(s.rollup.Prefixes); n > 2*rollup.TopPrefixes+1 {
		t.Errorf("%d prefixes", n)
	}
	if grown := (most - before) >> 20; most > before && grown > 10 {
		t.Errorf("%d MiB were in use", grown)
	}
	t.Logf("%d MiB in use, %d before", most>>20, before>>20)
}
