package lake_test

import (
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/lake"
)

func TestObjects(t *testing.T) {
	const n = 300_000 // more than two tenants
	var last string
	var count, standard, multipart, tagged int
	for info := range lake.Objects(n) {
		if info.Key <= last {
			t.Fatalf("object %d: key %q after %q", count, info.Key, last)
		}
		if len(info.Key) < 67 || len(info.Key) > 68 {
			t.Fatalf("object %d: key %q of %d bytes", count, info.Key, len(info.Key))
		}
		if info.Size < 1 || info.Size > 1<<30 {
			t.Fatalf("object %d: size %d", count, info.Size)
		}
		if info.StorageClass == stocktake.Standard {
			standard++
		}
		if info.Type == stocktake.Multipart {
			multipart++
		}
		if len(info.Tags) > 0 {
			tagged++
		}
		last = info.Key
		count++
	}
	if count != n {
		t.Errorf("%d objects, want %d", count, n)
	}
	for _, share := range []struct {
		name      string
		got, want int // in percent
	}{
		{"standard", 100 * standard / n, 80}, {"multipart", 100 * multipart / n, 10}, {"tagged", 100 * tagged / n, 5},
	} {
		if share.got < share.want-1 || share.got > share.want+1 {
			t.Errorf("%s: %d %%, want %d %%", share.name, share.got, share.want)
		}
	}
}

func TestObjectsAreTheSameAtEveryRun(t *testing.T) {
	sum := fnv.New64a()
	for info := range lake.Objects(1000) {
		fmt.Fprintln(sum, info.Key, info.Size, info.ETag, info.CRC64, info.LastModified.UnixMilli(), info.StorageClass, info.Type, len(info.Tags))
	}
	const want = 0x29f677c51082910c
	if got := sum.Sum64(); got != want {
		t.Errorf("sum of the first 1,000 objects %#x, want %#x: figures of other days cannot be compared any more", got, uint64(want))
	}
}

func BenchmarkObjects(b *testing.B) {
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for range lake.Objects(100_000) {
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "objects/s")
}
