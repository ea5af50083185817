package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// large are the results of a run of ten billion objects, which are generated on
// demand: each is one shard of a million rows, with the greatest number of pieces in
// the summary, and keys of 80 bytes.
type large struct {
	shards int
	data   string // the beginning of the keys of shards
	start  time.Time
}

const largePieces = 32

func (l *large) key(i, piece int) string {
	return fmt.Sprintf("tenants/%05d/2026-01-%02d/exports/part-%06d/%s", i/16, i%16, piece, "c0ffee00c0ffee00c0ffee00c0ffee00.json")
}

func (l *large) shard(i int) string { return fmt.Sprintf("%s%012x.csv.gz", l.data, i) }

func (l *large) result(i int) engine.SliceResult {
	r := engine.SliceResult{Slice: engine.Slice{Number: i, Start: l.start}, Done: true, Listed: 1_000_000, Snapshot: l.start, End: l.start}
	if i > 0 {
		r.Slice.Segment.From = l.key(i, 0)
	}
	if i+1 < l.shards {
		r.Slice.Segment.To = l.key(i+1, 0)
	}
	f := stocktake.SummaryFile{
		Key: l.shard(i), Size: 40 << 20, Rows: 1_000_000, FirstKey: l.key(i, 0), LastKey: l.key(i, 999_999),
		MD5: fmt.Sprintf("%032X", i), SHA256: fmt.Sprintf("%064x", i),
	}
	for p := range largePieces {
		f.Pieces = append(f.Pieces, stocktake.SummaryPiece{Row: int64(p) * 31_250, Offset: int64(p) << 20, FirstKey: l.key(i, p*31_250)})
	}
	r.Files = []stocktake.SummaryFile{f}
	b := rollup.New(rollup.Options{Start: l.start})
	for j := range 20 {
		record := stocktake.Record{Key: []byte(l.key(i, j)), Size: int64(i + j), IsLatest: true, LastModified: l.start.Unix() - int64(i)}
		b.Add([]stocktake.Record{record})
		r.Totals.Add(&record)
	}
	r.Rollup = b.Part()
	return r
}

func (l *large) Reaches(_ context.Context, yield func(engine.Reach) error) error {
	for i := range l.shards {
		r := l.result(i)
		if err := yield(r.Reach()); err != nil {
			return err
		}
	}
	return nil
}

func (l *large) InOrder(_ context.Context, numbers []int, yield func(*engine.SliceResult) error) error {
	for _, i := range numbers {
		r := l.result(i)
		if err := yield(&r); err != nil {
			return err
		}
	}
	return nil
}

// highest returns by how many bytes the live heap grew at most while do ran, as the
// collector found at its ends: garbage depends on the speed of the machine.
func highest(do func()) int64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	read := func() int64 {
		metrics.Read(live)
		return int64(live[0].Value.Uint64())
	}
	runtime.GC()
	before := read()
	var stop atomic.Bool
	most, done := int64(0), make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			most = max(most, read()-before)
			time.Sleep(2 * time.Millisecond)
		}
	}()
	do()
	stop.Store(true)
	<-done
	return most
}

// A report of ten billion rows is published from the results of its slices, and again
// from the record, in bounded memory. The files of the report have 45 MB, most of it
// the keys at which the pieces of shards begin. The record in the catalog is small.
func TestTenThousandShards(t *testing.T) {
	const limit = 512 << 20 // with the report in the destination, which is in memory here
	l := &large{shards: 10_000, start: time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)}
	job := engine.Job{Run: "large", Attempt: 1, Bucket: "photos", Configuration: stocktake.InventoryConfiguration{
		ID: "all", Destination: stocktake.Destination{Bucket: "reports", Format: stocktake.FormatCSV},
	}}
	at := report.Location{Bucket: job.Bucket, Configuration: job.Configuration.ID}
	r := sha256.Sum256([]byte("run\x00" + job.Run)) // as in the names of its shards
	l.data = fmt.Sprintf("%s%x-%x-8%03x-8001-", at.Data(), r[:4], r[4:6], binary.BigEndian.Uint16(r[6:])&0xfff)

	dst := membucket.New(time.Now, "reports").Bucket("reports")
	for i := range l.shards {
		dst.Write(l.shard(i), nil)
	}
	var recorded []byte
	opts := engine.Options{Record: func(_ context.Context, report []byte) ([]byte, error) {
		recorded = report
		return report, nil
	}}
	step := func(name string, do func()) int64 {
		begun := time.Now()
		most := highest(do)
		t.Logf("%s: %v, at most %d MiB in use", name, time.Since(begun).Round(time.Millisecond), most>>20)
		return most
	}
	var result engine.Result
	most := step("publish", func() {
		var err error
		if result, err = engine.PublishFrom(t.Context(), dst, job, engine.RunPlan{Start: l.start, Consistency: stocktake.ConsistencySnapshot}, l, opts); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("recorded: %d KiB", len(recorded)>>10)
	if got := len(result.Summary.Files); got != l.shards || result.Summary.Listed != int64(l.shards)*1_000_000 {
		t.Errorf("%d shards, %d rows listed", got, result.Summary.Listed)
	}
	if most > limit {
		t.Errorf("%d MiB were in use to publish", most>>20)
	}
	if len(recorded) > 8<<20 {
		t.Errorf("%d KiB are recorded", len(recorded)>>10)
	}
	if err := dst.Remove(t.Context(), result.Manifest); err != nil { // as if it had died before
		t.Fatal(err)
	}
	again := job
	again.Attempt, again.Recorded = 2, recorded
	most = step("publish what is recorded", func() {
		if _, err := engine.Publish(t.Context(), dst, again, engine.RunPlan{}, nil, opts); err != nil {
			t.Fatal(err)
		}
	})
	if most > limit {
		t.Errorf("%d MiB were in use to publish what is recorded", most>>20)
	}
}
