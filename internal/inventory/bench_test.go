package inventory_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/runner/local"
)

// endless has a source that never ends and a destination in memory: a load of runs that scan and compress.
type endless struct{ memory }

func (e endless) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	return membucket.Uniform(1 << 40), nil
}

// BenchmarkTenThousand measures a service of 10,000 configurations in 20
// buckets. Its iterations are the measured operation; it reports its other figures
// as well.
//
//	go test ./internal/inventory -run '^$' -bench TenThousand -benchtime 2000x
func BenchmarkTenThousand(b *testing.B) {
	const n = 10_000
	path := b.TempDir() + "/catalog.db"
	clk := clock.NewFrozen(time.Date(2026, 1, 5, 2, 0, 0, 0, time.UTC))
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprint("bucket-", i))
	}
	world := newBuckets(names...)
	start := func(b *testing.B, r inventory.Runner, maxRuns int) (s *inventory.Service, stop func()) {
		cat, err := sqlite.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		s, err = inventory.New(b.Context(), cat, world, r, inventory.Options{Clock: clk, Log: quiet, MaxRuns: maxRuns})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error)
		go func() { done <- s.Serve(ctx) }()
		return s, func() {
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
			if err := cat.Close(); err != nil {
				b.Error(err)
			}
		}
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

	b.Run("schedule", func(b *testing.B) {
		quick := &runner{}
		s, stop := start(b, quick, 2)
		defer stop()
		before := heapInUse()
		var puts []time.Duration
		for i := range n {
			cfg := configuration(fmt.Sprint("c", i), daily)
			at := time.Now()
			if err := s.Put(b.Context(), names[i%len(names)], cfg); err != nil {
				b.Fatal(err)
			}
			puts = append(puts, time.Since(at))
		}
		advance := func(d time.Duration) time.Duration {
			at := time.Now()
			if err := clk.Advance(b.Context(), d); err != nil {
				b.Fatal(err)
			}
			return time.Since(at)
		}
		advance(0)
		quick.tasks = nil
		took := advance(24 * time.Hour)
		if got := len(quick.tasks); got != n {
			b.Fatalf("%d runs in a day, want %d", got, n)
		}
		quick.tasks = nil
		slices.Sort(puts)
		heap := heapInUse() - before
		for b.Loop() {
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ms(puts[n/2]), "put-p50-ms")
		b.ReportMetric(ms(took)/n, "ms/run")
		b.ReportMetric(float64(heap)/n, "B/configuration")
	})

	// Putting, getting, listing while runs keep every core busy.
	m := endless{newMemory(0)}
	s, stop := start(b, &local.Runner{Stores: m, Options: engine.Options{Log: quiet}}, 4)
	defer stop()
	for i := range 4 {
		if _, err := s.Run(b.Context(), names[i], fmt.Sprint("c", i)); err != nil {
			b.Fatal(err)
		}
	}
	for _, op := range []struct {
		name string
		do   func(i int) error
	}{
		{"put", func(i int) error {
			return s.Put(b.Context(), "photos", configuration(fmt.Sprint("p", i%500), stocktake.Schedule{Frequency: stocktake.Once}))
		}},
		{"get", func(i int) error {
			_, err := s.Get(b.Context(), names[i%len(names)], fmt.Sprint("c", i%n))
			return err
		}},
		{"list", func(i int) error {
			_, _, err := s.List(b.Context(), names[i%len(names)], fmt.Sprint("c", i%5), 100)
			return err
		}},
	} {
		b.Run(op.name+" while runs go", func(b *testing.B) {
			world.all["photos"] = world.all[names[0]]
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				if op.name == "put" && i%500 == 0 {
					if err := s.BucketDeleted(b.Context(), "photos"); err != nil {
						b.Fatal(err)
					}
				}
				at := time.Now()
				if err := op.do(i); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(at))
			}
			slices.Sort(took)
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
		})
	}
}

// heapInUse returns how many bytes of the heap are in use.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}
