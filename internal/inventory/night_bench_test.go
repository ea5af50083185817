package inventory_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/inventory"
)

// BenchmarkNight measures the cost of a run in addition to its scan, in nights of
// small runs that follow one another. An iteration is a night of 200 runs.
//
//	go test ./internal/inventory -run '^$' -bench Night -benchtime 20x
func BenchmarkNight(b *testing.B) {
	const n = 200
	for _, maxRuns := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("max-runs=%d", maxRuns), func(b *testing.B) {
			clk := clock.NewFrozen(time.Date(2026, 1, 5, 2, 0, 0, 0, time.UTC))
			cat, err := sqlite.Open(b.Context(), b.TempDir()+"/catalog.db")
			if err != nil {
				b.Fatal(err)
			}
			s, err := inventory.New(b.Context(), cat, newBuckets("photos"), sameOutcome{}, inventory.Options{Clock: clk, Log: quiet, MaxRuns: maxRuns})
			if err != nil {
				b.Fatal(err)
			}
			for i := range n {
				if err := s.Put(b.Context(), "photos", configuration(fmt.Sprint("c", i), daily)); err != nil {
					b.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(b.Context())
			served := make(chan error)
			go func() { served <- s.Serve(ctx) }()
			if err := clk.Advance(b.Context(), 0); err != nil { // the first runs
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := clk.Advance(b.Context(), 24*time.Hour); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "runs/s")
			cancel()
			if err := <-served; err != nil {
				b.Error(err)
			}
			if err := cat.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// sameOutcome is a Runner whose runs publish at once, as if they had a shard.
type sameOutcome struct{}

func (sameOutcome) Run(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	t.Follow(func() stocktake.Progress { return done.Progress })
	return publish(ctx, t)
}

func (sameOutcome) Clean(context.Context, inventory.Task) error { return nil }
