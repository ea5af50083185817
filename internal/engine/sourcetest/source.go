package sourcetest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
)

// Run tests a source. open gives it a new, empty bucket for each test.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"no such bucket", noSuchBucket},
		{"an empty bucket", emptyBucket},
		{"ascending by key bytes", byteOrder},
		{"records say what was put", contents},
		{"versions", versions},
		{"null versions", nullVersions},
		{"segments", segments},
		{"splits", splits},
		{"counts", counts},
		{"an error of yield ends the scan", yieldError},
		{"ctx ends the scan", contextEnds},
		{"what comes later is not seen", isolation},
		{"many scans at once", concurrency},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func noSuchBucket(t *testing.T, f Fixture) {
	if _, err := f.Source.Snapshot(t.Context(), f.Bucket+"-not"); !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("error %v, want %v", err, stocktake.ErrNoSuchBucket)
	}
}

func emptyBucket(t *testing.T, f Fixture) {
	snap := f.snapshot(t)
	for _, versions := range []bool{false, true} {
		if got := scan(t, snap, wholeBucket, versions); len(got) > 0 {
			t.Errorf("%d records", len(got))
		}
	}
	if snap.Time().IsZero() {
		t.Error("the snapshot has no time")
	}
	if c := snap.Consistency(); c != stocktake.Snapshot && c != stocktake.Window {
		t.Errorf("consistency %q", c)
	}
}

func byteOrder(t *testing.T, f Fixture) {
	want := f.oddKeys()
	for _, key := range slices.Backward(want) {
		f.Put(key, 1)
	}
	snap := f.snapshot(t)
	for _, versions := range []bool{false, true} {
		if got := keysOf(scan(t, snap, wholeBucket, versions)); !slices.Equal(got, want) {
			t.Errorf("versions %v: keys\n%q, want\n%q", versions, got, want)
		}
	}
}

func contents(t *testing.T, f Fixture) {
	before := time.Now().Add(-time.Hour).Unix()
	f.Put("a", 0)
	f.Put("b", 1000)
	f.Put("b", 7) // replaces
	f.Put("gone", 1)
	f.Delete("gone")
	got := scan(t, f.snapshot(t), wholeBucket, false)
	if keys := keysOf(got); !slices.Equal(keys, []string{"a", "b"}) {
		t.Fatalf("keys %q", keys)
	}
	for i, size := range []int{0, 7} {
		r := got[i]
		sum := stocktake.ETag{Sum: md5.Sum(bytes.Repeat([]byte("x"), size))}
		if r.Size != int64(size) || r.ETag.String() != sum.String() || len(r.VersionID) > 0 || r.StorageClass != stocktake.Standard ||
			!r.IsLatest || r.IsDeleteMarker || r.Multipart || r.Type != stocktake.Normal || r.TaggingCount != 0 || r.TransitionTime != 0 {
			t.Errorf("record %+v, want size %d, ETag %s", r, size, sum)
		}
		if r.LastModified < before {
			t.Errorf("%s: last modified %d, more than an hour ago", r.Key, r.LastModified)
		}
	}
	if all := scan(t, f.snapshot(t), wholeBucket, true); !slices.Equal(keysOf(all), keysOf(got)) {
		t.Errorf("versions of a bucket that has none: %q", keysOf(all))
	}
}

// A state is what matters of a version for its place among the others.
type state struct {
	key                  string
	latest, marker, null bool
	size                 int64
}

func states(records []stocktake.Record) (s []state) {
	for _, r := range records {
		one := state{string(r.Key), r.IsLatest, r.IsDeleteMarker, string(r.VersionID) == membucket.NullVersion, r.Size}
		if r.IsDeleteMarker {
			one.size = 0
		}
		s = append(s, one)
	}
	return s
}

func (f *Fixture) expect(t *testing.T, want []state) {
	t.Helper()
	snap := f.snapshot(t)
	all := scan(t, snap, wholeBucket, true)
	if got := states(all); !slices.Equal(got, want) {
		t.Errorf("versions\n%+v, want\n%+v", got, want)
	}
	ids := make(map[string]bool)
	for _, r := range all {
		if id := fmt.Sprintf("%q %s", r.Key, r.VersionID); len(r.VersionID) == 0 || ids[id] {
			t.Errorf("version id %s is empty, or comes twice", id)
		} else {
			ids[id] = true
		}
	}
	current := slices.DeleteFunc(slices.Clone(want), func(s state) bool { return !s.latest || s.marker })
	if got := states(scan(t, snap, wholeBucket, false)); !slices.Equal(got, current) {
		t.Errorf("current versions\n%+v, want\n%+v", got, current)
	}
}

func versions(t *testing.T, f Fixture) {
	if f.SetVersioning == nil {
		t.Skip("the source knows no versions")
	}
	f.SetVersioning(true)
	for i := range 3 {
		f.Put("a", i)
		f.Put("a/b", i) // between versions of a, if the order were one of text
	}
	f.Delete("a")
	f.Put("a", 9)
	f.Delete("b") // never was
	f.Put("c", 1)
	f.Delete("c")
	f.Delete("c")
	f.expect(t, []state{
		{"a", true, false, false, 9},
		{"a", false, true, false, 0},
		{"a", false, false, false, 2},
		{"a", false, false, false, 1},
		{"a", false, false, false, 0},
		{"a/b", true, false, false, 2},
		{"a/b", false, false, false, 1},
		{"a/b", false, false, false, 0},
		{"b", true, true, false, 0},
		{"c", true, true, false, 0},
		{"c", false, true, false, 0},
		{"c", false, false, false, 1},
	})
}

func nullVersions(t *testing.T, f Fixture) {
	if f.SetVersioning == nil {
		t.Skip("the source knows no versions")
	}
	f.fill("a", "b", "c", "d")
	f.SetVersioning(true)
	f.Put("b", 2)
	f.Put("c", 2)
	f.Put("e", 2)
	f.SetVersioning(false)
	f.Put("c", 3) // takes the place of the null version there was
	f.Put("e", 3)
	f.Put("e", 4)
	f.Delete("d") // a null marker takes the place of the null version
	f.Put("f", 3)
	f.SetVersioning(true)
	f.Put("f", 5)
	f.expect(t, []state{
		{"a", true, false, true, 1},
		{"b", true, false, false, 2},
		{"b", false, false, true, 1},
		{"c", true, false, true, 3},
		{"c", false, false, false, 2},
		{"d", true, true, true, 0},
		{"e", true, false, true, 4},
		{"e", false, false, false, 2},
		{"f", true, false, false, 5},
		{"f", false, false, true, 3},
	})
}

// bounds are keys to begin and to end a segment at, there or not.
var bounds = []string{"", "!", "a", "a\x00", "a/", "a/b", "a/b0", "b", "猫", "｡", "😀", "\U0010ffff"}

func segments(t *testing.T, f Fixture) {
	keys := f.oddKeys()
	f.fill(keys...)
	snap := f.snapshot(t)
	for _, prefix := range []string{"", "a", "a/", "a/b", "b", "😀", "none"} {
		for _, from := range bounds {
			for _, to := range bounds {
				seg := engine.Segment{Prefix: prefix, From: from, To: to}
				want := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !within(seg, key) })
				if got := keysOf(scan(t, snap, seg, false)); !slices.Equal(got, want) {
					t.Errorf("%+v: keys %q, want %q", seg, got, want)
				}
			}
		}
	}
	// Resuming behind each key in turn gives the rest.
	for i, key := range keys {
		if got := keysOf(scan(t, snap, engine.Segment{From: key + "\x00"}, true)); !slices.Equal(got, keys[i+1:]) {
			t.Errorf("behind %q: keys %q, want %q", key, got, keys[i+1:])
		}
	}
}

func splits(t *testing.T, f Fixture) {
	keys := f.oddKeys()
	f.fill(keys...)
	if f.SetVersioning != nil { // no cut may part versions of a key
		f.SetVersioning(true)
		f.fill(keys...)
	}
	snap := f.snapshot(t)
	whole := keysOf(scan(t, snap, wholeBucket, true))
	for _, prefix := range []string{"", "a", "a/", "none"} {
		want := slices.DeleteFunc(slices.Clone(whole), func(key string) bool { return !within(engine.Segment{Prefix: prefix}, key) })
		for _, n := range []int{1, 2, 3, 8, 1000} {
			cuts, err := snap.Split(t.Context(), prefix, n)
			if err != nil {
				t.Fatalf("Split %q, %d: %v", prefix, n, err)
			}
			if len(cuts) > n-1 {
				t.Errorf("Split %q, %d gives %d cuts", prefix, n, len(cuts))
			}
			var got []string
			from := ""
			for _, cut := range append(cuts, "") {
				if cut != "" && (cut <= from || cut <= prefix) {
					t.Errorf("Split %q, %d: cut %q after %q", prefix, n, cut, from)
				}
				got = append(got, keysOf(scan(t, snap, engine.Segment{Prefix: prefix, From: from, To: cut}, true))...)
				from = cut
			}
			if !slices.Equal(got, want) {
				t.Errorf("Split %q, %d: the segments between %q have\n%q, want\n%q", prefix, n, cuts, got, want)
			}
		}
	}
}

func counts(t *testing.T, f Fixture) {
	f.fill("a/1", "a/2", "b/1")
	snap := f.snapshot(t)
	for _, prefix := range []string{"", "a/", "none"} {
		if n, err := snap.Count(t.Context(), prefix); err != nil || n < -1 {
			t.Errorf("Count %q: %d, %v", prefix, n, err)
		}
	}
}

func yieldError(t *testing.T, f Fixture) {
	f.fill("a", "b", "c")
	enough := errors.New("enough")
	calls := 0
	err := f.snapshot(t).Scan(t.Context(), wholeBucket, false, func([]stocktake.Record) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("error %v after %d calls, want %v after 1", err, calls, enough)
	}
}

func contextEnds(t *testing.T, f Fixture) {
	const n = 60
	for i := range n {
		f.Put(fmt.Sprintf("k%02d", i), 1)
	}
	if _, err := f.Source.Snapshot(ended(t), f.Bucket); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Snapshot: %v", err)
	}
	snap := f.snapshot(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, later := 0, 0
	err := snap.Scan(ctx, wholeBucket, false, func(batch []stocktake.Record) error {
		if ctx.Err() != nil {
			later++
		}
		seen += len(batch)
		cancel()
		return nil
	})
	if later > 1 || !errors.Is(err, context.Canceled) && seen < n {
		t.Errorf("%d more batches, error %v, %d of %d records", later, err, seen, n)
	}
	if err := snap.Scan(ended(t), wholeBucket, false, func([]stocktake.Record) error {
		later++
		return nil
	}); later > 2 || later == 0 && !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: error %v", err)
	}
}

func isolation(t *testing.T, f Fixture) {
	f.fill("a", "b", "c", "d")
	if f.SetVersioning != nil {
		f.SetVersioning(true)
		f.fill("a", "b")
	}
	snap := f.snapshot(t)
	if snap.Consistency() != stocktake.Snapshot {
		t.Skip("the source promises no snapshot")
	}
	before := [2][]stocktake.Record{scan(t, snap, wholeBucket, false), scan(t, snap, wholeBucket, true)}
	changes := []func(){
		func() { f.Put("b", 77) },
		func() { f.Put("aa", 1) },
		func() { f.Delete("c") },
		func() { f.Delete("a") },
		func() { f.Put("z", 1) },
	}
	for _, change := range changes {
		for i, versions := range []bool{false, true} {
			var got []stocktake.Record
			err := snap.Scan(t.Context(), wholeBucket, versions, func(batch []stocktake.Record) error {
				if change != nil { // amid the scan
					change()
					change = nil
				}
				for _, r := range batch {
					got = append(got, clone(r))
				}
				return nil
			})
			if err != nil || !slices.EqualFunc(got, before[i], same) {
				t.Errorf("versions %v: %v, records\n%v, want\n%v", versions, err, got, before[i])
			}
		}
	}
	if got := keysOf(scan(t, f.snapshot(t), wholeBucket, false)); !slices.Equal(got, []string{"aa", "b", "d", "z"}) {
		t.Errorf("a new snapshot has %q", got)
	}
}

func same(a, b stocktake.Record) bool {
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.VersionID, b.VersionID) && a.ETag.String() == b.ETag.String() &&
		a.Size == b.Size && a.LastModified == b.LastModified && a.IsLatest == b.IsLatest && a.IsDeleteMarker == b.IsDeleteMarker
}

func concurrency(t *testing.T, f Fixture) {
	keys := f.oddKeys()
	f.fill(keys...)
	snap := f.snapshot(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			seg := engine.Segment{From: keys[i], To: keys[len(keys)-1-i]}
			var got []string
			err := snap.Scan(t.Context(), seg, i%2 == 0, func(batch []stocktake.Record) error {
				got = append(got, keysOf(batch)...)
				return nil
			})
			if want := keys[i : len(keys)-1-i]; err != nil || !slices.Equal(got, want) {
				t.Errorf("%+v: keys %q, %v, want %q", seg, got, err, want)
			}
			if _, err := snap.Split(t.Context(), "", 4); err != nil {
				t.Errorf("Split: %v", err)
			}
		})
	}
	group.Wait()
}
