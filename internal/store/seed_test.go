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
	"github.com/stocktake/stocktake/internal/store/seed"
)

// Package seed writes the same rows as the store, without the bytes of objects.
func TestSeed(t *testing.T) {
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
	// Except for their bytes they are ordinary objects.
	v := object.Version{Bucket: "b", Key: objects[7].Key}
	if info, err := s.Head(t.Context(), v); err != nil || info.Headers.ContentType != "image/jpeg" {
		t.Error(info, err)
	}
	if _, _, err := s.Open(t.Context(), v); err == nil || !strings.Contains(err.Error(), "content of kind 4") {
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

func TestSeedRefuses(t *testing.T) {
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
		want       error
	}{
		"not ascending": {object.Unversioned, of("b", "a"), seed.ErrOrder},
		"versions":      {object.Unversioned, of("a", "a"), seed.ErrVersions},
		"empty key":     {object.Enabled, of(""), seed.ErrOrder},
		"long key":      {object.Enabled, of(strings.Repeat("k", 1024)), seed.ErrOrder},
		"many versions": {object.Enabled, of(strings.Split(strings.Repeat("k,", 2000)+"k", ",")...), seed.ErrVersions},
	} {
		dir := t.TempDir()
		b := object.Bucket{Name: "b", Owner: "1", ACL: stocktake.Private, Versioning: tt.versioning}
		if n, err := seed.Bucket(t.Context(), dir, b, tt.objects); !errors.Is(err, tt.want) || n != 0 {
			t.Errorf("%s: %d rows, %v; want %v", name, n, err, tt.want)
		}
		s := open(t, dir, store.Options{})
		if n, err := snapshot(t, s).Count(t.Context(), ""); err != nil || n != 0 {
			t.Errorf("%s: %d rows are there: %v", name, n, err)
		}
		if left := blobFiles(t, dir); len(left) > 0 {
			t.Errorf("%s: left behind: %q", name, left)
		}
	}
	dir := t.TempDir()
	fill(t, dir, object.Enabled, of("a", "a", "b"))
	if _, err := seed.Bucket(t.Context(), dir, object.Bucket{Name: "b", Owner: "1", Redundancy: "LRS"}, of("c")); !errors.Is(err, seed.ErrUsed) {
		t.Errorf("a bucket in use: %v", err)
	}
	s := open(t, dir, store.Options{})
	page, err := s.List(t.Context(), object.ListQuery{Bucket: "b", Versions: true, Max: 10})
	if err != nil || len(page.Entries) != 3 || !page.Entries[0].IsLatest || page.Entries[1].IsLatest {
		t.Errorf("%+v: %v", page, err)
	}
}
