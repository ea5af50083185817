package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// DeleteIf does what Delete does, or nothing.
func TestDeleteIf(t *testing.T) {
	s, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CreateBucket(t.Context(), by, object.Bucket{Name: "bucket", Owner: "1"}, false); err != nil {
		t.Fatal(err)
	}
	put := func(body string) object.Info {
		t.Helper()
		info, err := s.PutObject(t.Context(), by, object.Put{Bucket: "bucket", Key: "key", Size: int64(len(body))}, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	current := object.Version{Bucket: "bucket", Key: "key"}
	var seen object.Info
	accept := func(info object.Info) error { seen = info; return nil }
	refused := errors.New("refused")

	if _, err := s.DeleteIf(t.Context(), by, current, accept); !errors.Is(err, object.ErrNoSuchKey) {
		t.Errorf("of a missing key: %v", err)
	}
	if _, err := s.DeleteIf(t.Context(), by, object.Version{Bucket: "bucket", Key: "key", ID: object.NullVersion}, accept); !errors.Is(err, object.ErrNoSuchVersion) {
		t.Errorf("of a missing version: %v", err)
	}
	put("a")
	if _, err := s.DeleteIf(t.Context(), by, current, func(object.Info) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("refused: %v", err)
	}
	if _, err := s.Head(t.Context(), current); err != nil {
		t.Fatalf("after a refusal: %v", err)
	}
	if _, err := s.DeleteIf(t.Context(), by, current, accept); err != nil || seen.Size != 1 || !seen.IsLatest {
		t.Fatalf("%v, saw %+v", err, seen)
	}
	if _, err := s.Head(t.Context(), current); !errors.Is(err, object.ErrNoSuchKey) {
		t.Fatalf("after a deletion: %v", err)
	}

	if err := s.UpdateBucket(t.Context(), by, "bucket", func(b *object.Bucket) error { b.Versioning = object.Enabled; return nil }); err != nil {
		t.Fatal(err)
	}
	old := put("bb")
	put("ccc")
	if _, err := s.DeleteIf(t.Context(), by, object.Version{Bucket: "bucket", Key: "key", ID: old.VersionID}, accept); err != nil || seen.Size != 2 || seen.IsLatest {
		t.Fatalf("noncurrent: %v, saw %+v", err, seen)
	}
	did, err := s.DeleteIf(t.Context(), by, current, accept)
	if err != nil || !did.DeleteMarker || seen.Size != 3 {
		t.Fatalf("current: %+v, %v, saw %+v", did, err, seen)
	}
	if _, err := s.DeleteIf(t.Context(), by, object.Version{Bucket: "bucket", Key: "key", ID: did.VersionID}, accept); err != nil || !seen.IsDeleteMarker || !seen.IsLatest {
		t.Fatalf("marker: %v, saw %+v", err, seen)
	}
	if info, err := s.Head(t.Context(), current); err != nil || info.Size != 3 {
		t.Fatalf("after the marker's removal: %+v, %v", info, err)
	}
}

// An access to one version reads no other version of the key: rows between the newest and the
// oldest one that cannot be decoded do not disturb it. Otherwise the removal of all old versions of
// a key takes time that grows with the square of their number.
func TestOneVersionOfMany(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	if err := s.CreateBucket(t.Context(), by, object.Bucket{Name: "bucket", Owner: "1", Versioning: object.Enabled}, false); err != nil {
		t.Fatal(err)
	}
	var versions []object.Version
	for range 5 {
		info, err := s.PutObject(t.Context(), by, object.Put{Bucket: "bucket", Key: "key", Size: 1}, strings.NewReader("a"))
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, object.Version{Bucket: "bucket", Key: "key", ID: info.VersionID})
	}
	for _, v := range versions[1:4] {
		store.BreakVersion(t, s, v)
	}
	oldest, latest := versions[0], versions[4]
	if info, err := s.Head(t.Context(), oldest); err != nil || info.IsLatest || info.VersionID != oldest.ID {
		t.Errorf("head of the oldest version: %+v, %v", info, err)
	}
	if info, err := s.Head(t.Context(), latest); err != nil || !info.IsLatest || info.VersionID != latest.ID {
		t.Errorf("head of the newest version: %+v, %v", info, err)
	}
	if _, err := s.Delete(t.Context(), by, oldest); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := s.Head(t.Context(), oldest); !errors.Is(err, object.ErrNoSuchVersion) {
		t.Errorf("head of a removed version: %v", err)
	}
}

// The removal of a newest version begins where the removed ones end: the rows of those, which the
// index keeps as tombstones, are not stepped over again. Here such a row cannot be decoded.
func TestRemovedVersionsAreSkipped(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	if err := s.CreateBucket(t.Context(), by, object.Bucket{Name: "bucket", Owner: "1", Versioning: object.Enabled}, false); err != nil {
		t.Fatal(err)
	}
	put := func() object.Version {
		t.Helper()
		info, err := s.PutObject(t.Context(), by, object.Put{Bucket: "bucket", Key: "key", Size: 1}, strings.NewReader("a"))
		if err != nil {
			t.Fatal(err)
		}
		return object.Version{Bucket: "bucket", Key: "key", ID: info.VersionID}
	}
	remove := func(v object.Version) (latest bool) {
		t.Helper()
		if _, err := s.DeleteIf(t.Context(), by, v, func(info object.Info) error { latest = info.IsLatest; return nil }); err != nil {
			t.Fatal(err)
		}
		return latest
	}
	first, second, third, fourth := put(), put(), put(), put()
	if !remove(fourth) {
		t.Error("the newest version is not the latest")
	}
	store.BreakVersion(t, s, fourth)
	if remove(second) {
		t.Error("an old version is the latest")
	}
	if !remove(third) {
		t.Error("the newest version that is left is not the latest")
	}
	fifth := put()
	if remove(first) {
		t.Error("an old version is the latest, although there is a newer one")
	}
	if !remove(fifth) {
		t.Error("the version that was put last is not the latest")
	}
}

// An access to a null version that is the newest or the oldest of its key, as it is after
// versioning was suspended or enabled, reads no other version between them; one in the middle is
// found, too.
func TestNullVersionOfMany(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	bucket(t, s, object.Unversioned)
	set := func(v object.Versioning) {
		t.Helper()
		check(t, s.UpdateBucket(t.Context(), by, "b", func(b *object.Bucket) error { b.Versioning = v; return nil }))
	}
	null := object.Version{Bucket: "b", Key: "key", ID: object.NullVersion}
	versions := func(n int) (made []object.Version) {
		for range n {
			made = append(made, object.Version{Bucket: "b", Key: "key", ID: put(t, s, "key", "later").VersionID})
		}
		return made
	}
	expect := func(data string, latest bool) {
		t.Helper()
		if info, got := read(t, s, null); got != data || info.IsLatest != latest || info.VersionID != object.NullVersion {
			t.Errorf("%q, %+v, want %q, latest %v", got, info, data, latest)
		}
	}
	put(t, s, "key", "oldest")
	set(object.Enabled)
	versions(1)
	broken := versions(3)
	versions(1)
	expect("oldest", false)
	set(object.Suspended)
	put(t, s, "key", "newest") // which replaces it
	expect("newest", true)
	set(object.Enabled)
	versions(2)
	expect("newest", false)
	if _, err := s.Delete(t.Context(), by, null); err != nil {
		t.Error(err)
	}
	if _, err := s.Head(t.Context(), null); !errors.Is(err, object.ErrNoSuchVersion) {
		t.Errorf("head of a removed version: %v", err)
	}
	set(object.Suspended)
	put(t, s, "key", "again")
	for _, v := range broken {
		store.BreakVersion(t, s, v)
	}
	expect("again", true)

	// The oldest one of another key.
	null.Key = "other"
	put(t, s, "other", "first")
	set(object.Enabled)
	put(t, s, "other", "later")
	store.BreakVersion(t, s, object.Version{Bucket: "b", Key: "other", ID: put(t, s, "other", "later").VersionID})
	put(t, s, "other", "later")
	expect("first", false)
}
