package store_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/store/seed"
)

// loaded returns a store whose bucket "b" holds objects.
func loaded(t testing.TB, v object.Versioning, objects iter.Seq[object.Info]) *store.Store {
	t.Helper()
	dir := t.TempDir()
	fill(t, dir, v, objects)
	return open(t, dir, store.Options{InlineBytes: 64})
}

// fill makes a store in dir whose bucket "b" holds objects.
func fill(t testing.TB, dir string, v object.Versioning, objects iter.Seq[object.Info]) {
	t.Helper()
	b := object.Bucket{Name: "b", Owner: "1", ACL: stocktake.Private, Versioning: v, Redundancy: "LRS"}
	if _, err := seed.Bucket(t.Context(), dir, b, objects); err != nil {
		t.Fatal(err)
	}
}

func snapshot(t testing.TB, s *store.Store) engine.Snapshot {
	t.Helper()
	sn, err := s.Source().Snapshot(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sn.Close(); err != nil {
			t.Error(err)
		}
	})
	return sn
}

// TestSplit cuts buckets that lie on disk, in the write buffer, and in both.
func TestSplit(t *testing.T) {
	const n = 400_000 // rows take 40 MB
	if testing.Short() {
		t.Skip("loads many rows")
	}
	s := loaded(t, object.Unversioned, uniform(n))
	for _, prefix := range []string{"", "photos/2026/0", "photos/2026/07/", "none"} {
		sn := snapshot(t, s)
		var keys []string
		for o := range uniform(n) {
			if strings.HasPrefix(o.Key, prefix) {
				keys = append(keys, o.Key)
			}
		}
		if count, err := sn.Count(t.Context(), prefix); err != nil || float64(count) < 0.9*float64(len(keys))-1000 || float64(count) > 1.1*float64(len(keys))+1000 {
			t.Errorf("%q: counted %d, there are %d: %v", prefix, count, len(keys), err)
		}
		for _, parts := range []int{2, 7, 16} {
			cuts, err := sn.Split(t.Context(), prefix, parts)
			if err != nil || !slices.IsSorted(cuts) || len(cuts) >= parts {
				t.Fatalf("%q: cuts %q: %v", prefix, cuts, err)
			}
			if len(keys) == 0 {
				continue
			}
			at := []int{0}
			for _, cut := range cuts {
				i, ok := slices.BinarySearch(keys, cut)
				if !ok {
					t.Errorf("%q is not a key", cut)
				}
				at = append(at, i)
			}
			at = append(at, len(keys))
			for i := range at[1:] {
				if size := at[i+1] - at[i]; float64(size) > 1.3*float64(len(keys))/float64(parts)+1000 {
					t.Errorf("%q in %d: segment %d has %d of %d keys", prefix, parts, i, size, len(keys))
				}
			}
		}
	}
}

// TestScanAllocatesNothing checks that a scan allocates nothing per record: its
// allocations do not depend on the number of records.
func TestScanAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the index allocates by itself")
	}
	for _, v := range []object.Versioning{object.Unversioned, object.Enabled} {
		allocations := func(n int) float64 {
			sn := snapshot(t, loaded(t, v, uniform(n)))
			return testing.AllocsPerRun(5, func() {
				rows := 0
				if err := sn.Scan(t.Context(), engine.Segment{}, true, func(batch []stocktake.Record) error {
					rows += len(batch)
					return nil
				}); err != nil || rows != n {
					t.Error(rows, err)
				}
			})
		}
		if few, many := allocations(1000), allocations(50_000); many > few+50 {
			t.Errorf("versioning %q: %.0f allocations for 1,000 rows, %.0f for 50,000", v, few, many)
		}
	}
}

// TestScanOfLongKeys fills the arena before the batch.
func TestScanOfLongKeys(t *testing.T) {
	const n = 2000
	long := func(i int) string { return fmt.Sprintf("%04d%s", i, strings.Repeat("\x00k", 500)) }
	s := loaded(t, object.Enabled, func(yield func(object.Info) bool) {
		for i := range n {
			for range 2 {
				if !yield(object.Info{Key: long(i), ETag: stocktake.ETag{Text: []byte("text")}, TransitionTime: time.Unix(9, 0)}) {
					return
				}
			}
		}
	})
	rows := 0
	ids := map[string]bool{}
	if err := snapshot(t, s).Scan(t.Context(), engine.Segment{}, true, func(batch []stocktake.Record) error {
		for _, r := range batch {
			if string(r.Key) != long(rows/2) || r.IsLatest != (rows%2 == 0) || string(r.ETag.Text) != "text" || r.TransitionTime != 9 {
				return fmt.Errorf("row %d: %.20q %v", rows, r.Key, r.IsLatest)
			}
			ids[string(r.VersionID)] = true
			rows++
		}
		return nil
	}); err != nil || rows != 2*n || len(ids) != rows {
		t.Errorf("%d rows, %d ids: %v", rows, len(ids), err)
	}
}
