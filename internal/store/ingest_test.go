package store_test

import (
	"errors"
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
)

// loaded is a store whose bucket "b" holds objects.
func loaded(t testing.TB, v object.Versioning, objects iter.Seq[object.Info]) *store.Store {
	t.Helper()
	s := open(t, t.TempDir(), store.Options{InlineBytes: 64})
	bucket(t, s, v)
	if _, err := store.Ingest(t.Context(), s, "b", objects); err != nil {
		t.Fatal(err)
	}
	return s
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

func TestIngest(t *testing.T) {
	const n = 20_000
	s := loaded(t, object.Unversioned, uniform(n))
	stat, err := s.BucketStat(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	var want object.BucketStat
	objects := slices.Collect(uniform(n))
	for _, o := range objects {
		want.Objects[o.StorageClass]++
		want.Bytes[o.StorageClass] += o.Size
	}
	stat.LastModified = time.Time{}
	if stat != want {
		t.Errorf("statistics %+v, want %+v", stat, want)
	}
	i := 0
	err = snapshot(t, s).Scan(t.Context(), engine.Segment{}, false, func(batch []stocktake.Record) error {
		for _, r := range batch {
			o := &objects[i]
			if string(r.Key) != o.Key || r.Size != o.Size || r.ETag.Sum != o.ETag.Sum || r.CRC64 != o.CRC64 || r.LastModified != o.LastModified.Unix() ||
				r.StorageClass != o.StorageClass || len(r.VersionID) > 0 || !r.IsLatest || !r.HasCRC64 {
				return fmt.Errorf("record %d: %+v, want %+v", i, r, o)
			}
			i++
		}
		return nil
	})
	if err != nil || i != n {
		t.Errorf("%d records: %v", i, err)
	}
	// They are objects like others, but for their bytes.
	v := object.Version{Bucket: "b", Key: objects[7].Key}
	if info, err := s.Head(t.Context(), v); err != nil || info.Headers.ContentType != "image/jpeg" {
		t.Error(info, err)
	}
	if _, _, err := s.Open(t.Context(), v); err == nil || !strings.Contains(err.Error(), "without its content") {
		t.Errorf("open: %v", err)
	}
	if _, c, err := s.Open(t.Context(), object.Version{Bucket: "b", Key: objects[0].Key}); err != nil { // has none
		t.Error(err)
	} else {
		c.Close()
	}
	put(t, s, v.Key, "real")
	if _, data := read(t, s, v); data != "real" {
		t.Errorf("%q", data)
	}
	if _, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: objects[8].Key}); err != nil {
		t.Error(err)
	}
	if stat, err := s.BucketStat(t.Context(), "b"); err != nil || sum(stat.Objects[:]) != n-1 {
		t.Error(stat, err)
	}
}

func sum(counts []int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func TestIngestRefuses(t *testing.T) {
	of := func(keys ...string) iter.Seq[object.Info] {
		return func(yield func(object.Info) bool) {
			for _, key := range keys {
				if !yield(object.Info{Key: key}) {
					return
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		versioning object.Versioning
		objects    iter.Seq[object.Info]
	}{
		"not ascending": {object.Unversioned, of("b", "a")},
		"versions":      {object.Unversioned, of("a", "a")},
		"empty key":     {object.Enabled, of("")},
		"long key":      {object.Enabled, of(strings.Repeat("k", 1024))},
		"many versions": {object.Enabled, of(strings.Split(strings.Repeat("k,", 2000)+"k", ",")...)},
	} {
		dir := t.TempDir()
		s := open(t, dir, store.Options{})
		bucket(t, s, tt.versioning)
		if n, err := store.Ingest(t.Context(), s, "b", tt.objects); err == nil || n != 0 {
			t.Errorf("%s: %d rows, no error", name, n)
		}
		if n, err := snapshot(t, s).Count(t.Context(), ""); err != nil || n != 0 {
			t.Errorf("%s: %d rows are there: %v", name, n, err)
		}
		if left := blobFiles(t, dir); len(left) > 0 {
			t.Errorf("%s: left behind: %q", name, left)
		}
	}
	s := loaded(t, object.Enabled, of("a", "a", "b"))
	if _, err := store.Ingest(t.Context(), s, "b", of("c")); err == nil {
		t.Error("a bucket in use")
	}
	if _, err := store.Ingest(t.Context(), s, "c", of("c")); !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Error(err)
	}
	page, err := s.List(t.Context(), object.ListQuery{Bucket: "b", Versions: true, Max: 10})
	if err != nil || len(page.Entries) != 3 || !page.Entries[0].IsLatest || page.Entries[1].IsLatest {
		t.Errorf("%+v: %v", page, err)
	}
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
					t.Errorf("%q is no key", cut)
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

// TestScanAllocatesNothing per record: what it allocates does not depend on how
// many there are.
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
