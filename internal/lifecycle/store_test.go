package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/store/seed"
)

var _ lifecycle.Store = (*store.Store)(nil)

// world is the embedded store in a folder, and a clock that tests move forward.
type world struct {
	*testing.T
	*store.Store
	clock *clock.Movable
	work  *lifecycle.Worker
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, clock: clock.NewFrozen(date("2026-01-01T06:00:00Z"))}
	var err error
	w.Store, err = store.Open(t.Context(), t.TempDir(), store.Options{Now: w.clock.Now})
	check(t, err)
	t.Cleanup(func() { check(t, w.Close()) })
	w.work = newWorker(w.Store, lifecycle.Options{Clock: w.clock, Rate: 1_000_000})
	return w
}

func (w *world) bucket(name string, versioning object.Versioning, rules ...object.LifecycleRule) {
	w.Helper()
	check(w.T, w.CreateBucket(w.Context(), object.ByService("test"), object.Bucket{Name: name, Owner: account}, false))
	check(w.T, w.UpdateBucket(w.Context(), object.ByService("test"), name, func(b *object.Bucket) error {
		b.Versioning, b.Lifecycle = versioning, &object.Lifecycle{Rules: rules}
		return nil
	}))
}

func (w *world) put(bucket, key string, tags ...object.Tag) object.Info {
	w.Helper()
	info, err := w.PutObject(w.Context(), object.ByService("test"), object.Put{Bucket: bucket, Key: key, Size: int64(len(key)), Attributes: object.Attributes{Tags: tags}}, strings.NewReader(key))
	check(w.T, err)
	return info
}

// days moves the clock forward and carries out the rules of a bucket.
func (w *world) days(n int, bucket string) lifecycle.Pass {
	w.Helper()
	check(w.T, w.clock.Advance(w.Context(), time.Duration(n)*24*time.Hour))
	p, err := w.work.RunOnce(w.Context(), bucket)
	check(w.T, err)
	return p
}

func TestEmbeddedStore(t *testing.T) {
	w := newWorld(t)
	keep := object.Tag{Key: "keep", Value: "1"}
	w.bucket("photos", object.Unversioned,
		object.LifecycleRule{ID: "age", Enabled: true, Prefix: "p/", Expiration: days(100), Transitions: []object.LifecycleTransition{
			to(stocktake.IA, 10), to(stocktake.ColdArchive, 20), to(stocktake.DeepColdArchive, 30),
		}},
		object.LifecycleRule{ID: "tagged", Enabled: true, Prefix: "t/", Not: []object.LifecycleNot{{Tag: &keep}}, Expiration: days(5)},
		object.LifecycleRule{ID: "by tag", Enabled: true, Prefix: "t/", Tags: []object.Tag{keep}, Transitions: []object.LifecycleTransition{to(stocktake.Archive, 5)}},
	)
	a := w.put("photos", "p/a")
	w.put("photos", "t/goes")
	w.put("photos", "t/stays", keep)
	w.put("photos", "untouched")

	if p := w.days(6, "photos"); p != (lifecycle.Pass{Bucket: "photos", Listed: 3, Expired: 1, Transitioned: 1}) {
		t.Errorf("after 6 days: %+v", p)
	}
	if _, err := w.Head(t.Context(), object.Version{Bucket: "photos", Key: "t/goes"}); !errors.Is(err, object.ErrNoSuchKey) {
		t.Errorf("t/goes: %v", err)
	}
	for _, step := range []struct {
		days  int
		class stocktake.StorageClass
		moved string // TransitionTime
	}{
		{5, stocktake.IA, ""},
		{10, stocktake.ColdArchive, "2026-01-22T06:00:00Z"},
		{1, stocktake.ColdArchive, "2026-01-22T06:00:00Z"},
		{9, stocktake.DeepColdArchive, "2026-02-01T06:00:00Z"},
	} {
		w.days(step.days, "photos")
		info, err := w.Head(t.Context(), object.Version{Bucket: "photos", Key: "p/a"})
		check(t, err)
		var moved time.Time
		if step.moved != "" {
			moved = date(step.moved)
		}
		if info.StorageClass != step.class || !info.TransitionTime.Equal(moved) || !info.LastModified.Equal(a.LastModified) || info.ETag.Sum != a.ETag.Sum {
			t.Errorf("at %s: %+v, want %s since %q", w.clock.Now(), info, step.class, step.moved)
		}
	}

	// The column TransitionTime of a report shows this.
	seen := map[string]string{}
	snapshot, err := w.Source().Snapshot(t.Context(), "photos")
	check(t, err)
	defer snapshot.Close()
	check(t, snapshot.Scan(t.Context(), engine.Segment{}, false, func(batch []stocktake.Record) error {
		for _, r := range batch {
			seen[string(bytes.Clone(r.Key))] = r.StorageClass.String() + " " + fmt.Sprint(r.TransitionTime)
		}
		return nil
	}))
	want := map[string]string{
		"p/a":       "DeepColdArchive " + fmt.Sprint(date("2026-02-01T06:00:00Z").Unix()),
		"t/stays":   "Archive 0",
		"untouched": "Standard 0",
	}
	for key, v := range want {
		if seen[key] != v {
			t.Errorf("record of %s: %s, want %s", key, seen[key], v)
		}
	}
	stat, err := w.BucketStat(t.Context(), "photos")
	check(t, err)
	if stat.Objects != [5]int64{1, 0, 1, 0, 1} {
		t.Errorf("statistics by class: %v", stat.Objects)
	}
}

func TestEmbeddedVersions(t *testing.T) {
	w := newWorld(t)
	w.bucket("docs", object.Enabled,
		object.LifecycleRule{ID: "1", Enabled: true, Expiration: days(2), NoncurrentExpiration: 4, NoncurrentTransitions: []object.LifecycleTransition{to(stocktake.Archive, 1)}},
		object.LifecycleRule{ID: "2", Enabled: true, ExpiredDeleteMarker: true},
	)
	const keys = 1050 // three pages of versions
	for i := range keys {
		w.put("docs", fmt.Sprintf("%05d", i))
	}
	for day, want := range []lifecycle.Pass{
		{Listed: keys},
		{Listed: keys},
		{Listed: keys}, // 2 days and a bit
		{Listed: keys, Expired: keys},
		{Listed: 2 * keys},
		{Listed: 2 * keys, Transitioned: keys},
		{Listed: 2 * keys},
		{Listed: 2 * keys},
		{Listed: 2 * keys, Removed: keys},
		{Listed: keys, Removed: keys},
		{},
	} {
		p, err := w.work.RunOnce(t.Context(), "docs")
		check(t, err)
		want.Bucket = "docs"
		if p != want {
			t.Errorf("day %d: %+v, want %+v", day, p, want)
		}
		check(t, w.clock.Advance(t.Context(), 24*time.Hour))
	}
	check(t, w.DeleteBucket(t.Context(), object.ByService("test"), "docs"))
}

func TestEmbeddedUploads(t *testing.T) {
	w := newWorld(t)
	w.bucket("docs", object.Unversioned, object.LifecycleRule{ID: "1", Enabled: true, Prefix: "u/", AbortUploads: days(3)})
	begin := func(key string) object.UploadID {
		u, err := w.InitiateUpload(t.Context(), object.ByService("test"), object.Put{Bucket: "docs", Key: key})
		check(t, err)
		return object.UploadID{Bucket: "docs", Key: key, ID: u.ID}
	}
	part := func(u object.UploadID) {
		_, err := w.UploadPart(t.Context(), object.ByService("test"), u, 1, object.Put{Bucket: u.Bucket, Key: u.Key, Size: 4}, strings.NewReader("part"))
		check(t, err)
	}
	left, going, other := begin("u/left"), begin("u/going"), begin("other")
	part(left)
	check(t, w.clock.Advance(t.Context(), 48*time.Hour))
	part(going)
	if p := w.days(2, "docs"); p != (lifecycle.Pass{Bucket: "docs", ListedUploads: 2, Aborted: 1}) {
		t.Errorf("%+v", p)
	}
	exists := func(u object.UploadID) bool {
		_, _, _, err := w.Parts(t.Context(), u, 0, 1)
		if err != nil && !errors.Is(err, object.ErrNoSuchUpload) {
			t.Fatal(err)
		}
		return err == nil
	}
	if exists(left) || !exists(going) || !exists(other) {
		t.Errorf("left %v, going %v, other %v", exists(left), exists(going), exists(other))
	}
	if p := w.days(2, "docs"); p.Aborted != 1 || exists(going) {
		t.Errorf("%+v", p)
	}
}

// Concurrent writers lose nothing.
func TestWritersMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.bucket("docs", object.Unversioned, object.LifecycleRule{ID: "1", Enabled: true, Expiration: days(1)})
	const keys = 300
	for i := range keys {
		w.put("docs", fmt.Sprint(i))
	}
	check(t, w.clock.Advance(t.Context(), 48*time.Hour))
	wrote := make(chan error, 1)
	go func() {
		for i := range keys {
			if _, err := w.PutObject(context.WithoutCancel(t.Context()), object.ByService("test"), object.Put{Bucket: "docs", Key: fmt.Sprint(keys - 1 - i), Size: 3}, strings.NewReader("new")); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	p, err := w.work.RunOnce(t.Context(), "docs")
	check(t, err)
	check(t, <-wrote)
	t.Logf("%+v", p)
	for i := range keys {
		if info, err := w.Head(t.Context(), object.Version{Bucket: "docs", Key: fmt.Sprint(i)}); err != nil || info.Size != 3 {
			t.Fatalf("%d: %+v, %v", i, info, err)
		}
	}
}

func BenchmarkPass(b *testing.B) {
	const n = 200_000
	modified := time.Now()
	dir := b.TempDir()
	if _, err := seed.Bucket(b.Context(), dir, object.Bucket{
		Name: "bucket", Owner: account,
		Lifecycle: &object.Lifecycle{Rules: []object.LifecycleRule{{ID: "1", Enabled: true, Expiration: days(100), Transitions: []object.LifecycleTransition{to(stocktake.IA, 30)}}}},
	}, func(yield func(object.Info) bool) {
		for i := range n {
			if !yield(object.Info{Key: fmt.Sprintf("logs/%08d", i), Size: 1, LastModified: modified}) {
				return
			}
		}
	}); err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.Context(), dir, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w := newWorker(s, lifecycle.Options{})
	for b.Loop() {
		if p, err := w.RunOnce(b.Context(), "bucket"); err != nil || p.Listed != n || p.Actions() != 0 {
			b.Fatalf("%+v, %v", p, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "versions/s")
}
