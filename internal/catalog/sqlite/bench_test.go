package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/inventory"
)

// tenThousand returns a catalog of 10,000 configurations in 10 buckets, each
// with a run.
func tenThousand(b *testing.B) *sqlite.Catalog {
	c := open(b, filepath.Join(b.TempDir(), "catalog.db"))
	for i := range 10_000 {
		bucket, id := bucketOf(i), fmt.Sprint("c", i)
		first := catalogtest.Queued(bucket, id, id)
		if err := c.AddConfiguration(b.Context(), catalogtest.Entry(bucket, id), &first, catalogtest.Holder, catalogtest.Limit); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

func bucketOf(i int) string { return fmt.Sprint("bucket-", i%10) }

// median runs do as often as b wants and reports the median and the 99th
// percentile of a call, in milliseconds.
func median(b *testing.B, do func(i int) error) {
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if err := do(i); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
}

func BenchmarkTenThousand(b *testing.B) {
	c := tenThousand(b)
	b.Run("put and delete", func(b *testing.B) {
		median(b, func(i int) error {
			first := catalogtest.Queued("fresh", "one", fmt.Sprint("fresh", i))
			if err := c.AddConfiguration(b.Context(), catalogtest.Entry("fresh", "one"), &first, catalogtest.Holder, catalogtest.Limit); err != nil {
				return err
			}
			return c.RemoveConfiguration(b.Context(), "fresh", "one")
		})
	})
	b.Run("get", func(b *testing.B) {
		median(b, func(int) error {
			i := rand.IntN(10_000)
			_, err := c.Document(b.Context(), bucketOf(i), fmt.Sprint("c", i))
			return err
		})
	})
	b.Run("list a page of 100", func(b *testing.B) {
		median(b, func(int) error {
			_, _, err := c.Documents(b.Context(), bucketOf(rand.IntN(10)), fmt.Sprint("c", rand.IntN(5000)), 100)
			return err
		})
	})
	b.Run("status of 1,000", func(b *testing.B) {
		median(b, func(int) error {
			_, err := c.EntryStatuses(b.Context(), bucketOf(rand.IntN(10)))
			return err
		})
	})
	b.Run("next wake", func(b *testing.B) {
		median(b, func(int) error {
			_, err := c.NextWake(b.Context())
			return err
		})
	})
}

// BenchmarkHistory reads the history of a configuration that has existed for long.
func BenchmarkHistory(b *testing.B) {
	c := open(b, filepath.Join(b.TempDir(), "catalog.db"))
	if err := c.AddConfiguration(b.Context(), catalogtest.Entry("photos", "a"), nil, catalogtest.Holder, catalogtest.Limit); err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		r := catalogtest.Queued("photos", "a", fmt.Sprint(i))
		if _, _, err := c.AddRun(b.Context(), r, catalogtest.Holder); err != nil {
			b.Fatal(err)
		}
		r.State, r.Ended = stocktake.Succeeded, catalogtest.Start
		if err := c.EndRun(b.Context(), r, catalogtest.At(stocktake.Queued, r), inventory.End{Keep: 100}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		median(b, func(int) error { _, err := c.Runs(b.Context(), "photos", "a"); return err })
	})
	b.Run("newest 10", func(b *testing.B) {
		b.ReportAllocs()
		median(b, func(int) error { _, err := c.NewestRuns(b.Context(), "photos", "a", 10); return err })
	})
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	b.Run("new", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			c, err := sqlite.Open(b.Context(), filepath.Join(dir, fmt.Sprint(i, ".db")))
			if err != nil {
				b.Fatal(err)
			}
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("there already", func(b *testing.B) {
		for b.Loop() {
			c, err := sqlite.Open(b.Context(), filepath.Join(dir, "0.db"))
			if err != nil {
				b.Fatal(err)
			}
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
