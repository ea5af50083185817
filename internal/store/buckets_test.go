package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

func TestBuckets(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	opts := store.Options{Now: func() time.Time { return now }}
	s, err := store.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	want := object.Bucket{
		Name: "photos", Owner: "1", StorageClass: stocktake.IA, Redundancy: "ZRS", ACL: stocktake.Private,
		Encryption: object.Encryption{Algorithm: "KMS", KeyID: "k"}, Policy: []byte("{}"),
		Tags: []object.Tag{{Key: "k", Value: "v"}, {Key: "a"}}, BlockPublicAccess: true, ResourceGroup: "rg-a", RequesterPays: true,
		Lifecycle: &object.Lifecycle{Rules: []object.LifecycleRule{{ID: "r", Enabled: true, Expiration: &object.LifecycleAge{Days: 30}}}},
	}
	if err := s.CreateBucket(ctx, by, want, false); err != nil {
		t.Fatal(err)
	}
	want.Created = now
	check := func() {
		t.Helper()
		got, err := s.Bucket(ctx, "photos")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	check()
	check()

	again := want
	again.ACL, again.Policy = stocktake.PublicRead, nil
	if err := s.CreateBucket(ctx, by, again, false); err != nil {
		t.Error(err)
	}
	check()
	want.ACL = stocktake.PublicRead
	if err := s.CreateBucket(ctx, by, again, true); err != nil {
		t.Error(err)
	}
	check()
	for _, other := range []object.Bucket{
		{Name: "photos", Owner: "2", StorageClass: stocktake.IA, Redundancy: "ZRS"},
		{Name: "photos", Owner: "1", StorageClass: stocktake.Standard, Redundancy: "ZRS"},
		{Name: "photos", Owner: "1", StorageClass: stocktake.IA, Redundancy: "LRS"},
	} {
		if err := s.CreateBucket(ctx, by, other, true); !errors.Is(err, object.ErrBucketExists) {
			t.Errorf("%+v: %v", other, err)
		}
	}

	refused := errors.New("refused")
	if err := s.UpdateBucket(ctx, by, "photos", func(b *object.Bucket) error {
		b.ACL = stocktake.PublicReadWrite
		b.Policy = nil
		return refused
	}); err != refused {
		t.Error(err)
	}
	check()
	if err := s.UpdateBucket(ctx, by, "photos", func(b *object.Bucket) error {
		b.Name, b.Owner, b.Created = "other", "2", time.Time{} // these fields cannot be changed
		b.Versioning = object.Enabled
		b.Tags, b.Lifecycle = nil, nil
		return nil
	}); err != nil {
		t.Error(err)
	}
	want.Versioning = object.Enabled
	want.Tags, want.Lifecycle = nil, nil
	check()
	if err := s.UpdateBucket(ctx, by, "photos", func(b *object.Bucket) error {
		b.Versioning = object.Unversioned
		return nil
	}); err == nil {
		t.Error("versioning was unmade")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, opts)
	check()
}

func TestBucketsOfAnOwner(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{MaxBuckets: 5})
	ctx := t.Context()
	create := func(name, owner string) error {
		return s.CreateBucket(ctx, by, object.Bucket{Name: name, Owner: owner, ACL: stocktake.Private}, false)
	}
	for _, name := range []string{"b2", "a", "b1", "c", "b3"} {
		if err := create(name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := create("d", "1"); !errors.Is(err, object.ErrTooManyBuckets) {
		t.Error(err)
	}
	if err := create("d", "2"); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		owner, prefix, after string
		limit                int
		want                 string
	}{
		{"1", "", "", 10, "[a b1 b2 b3 c] false"},
		{"1", "", "", 2, "[a b1] true"},
		{"1", "", "b1", 2, "[b2 b3] true"},
		{"1", "", "b3", 2, "[c] false"},
		{"1", "b", "", 3, "[b1 b2 b3] false"},
		{"1", "b", "b1", 1, "[b2] true"},
		{"1", "b", "x", 1, "[] false"},
		{"1", "", "", 0, "[] true"},
		{"2", "", "", 10, "[d] false"},
		{"3", "", "", 10, "[] false"},
	} {
		page, more, err := s.Buckets(ctx, tt.owner, tt.prefix, tt.after, tt.limit)
		names := []string{}
		for _, b := range page {
			names = append(names, b.Name)
		}
		if got := fmt.Sprint(names, more); err != nil || got != tt.want {
			t.Errorf("%+v: %s: %v", tt, got, err)
		}
	}
}

// TestNoBucket: every operation on a missing bucket returns the same error.
func TestNoBucket(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	ctx := t.Context()
	v, u := object.Version{Bucket: "b", Key: "k"}, object.UploadID{Bucket: "b", Key: "k", ID: "0123456789ABCDEF0123456789ABCDEF"}
	p := object.Put{Bucket: "b", Key: "k"}
	for name, do := range map[string]func() error{
		"Bucket":        func() error { _, err := s.Bucket(ctx, "b"); return err },
		"UpdateBucket":  func() error { return s.UpdateBucket(ctx, by, "b", func(*object.Bucket) error { return nil }) },
		"DeleteBucket":  func() error { return s.DeleteBucket(ctx, by, "b") },
		"BucketStat":    func() error { _, err := s.BucketStat(ctx, "b"); return err },
		"PutObject":     func() error { _, err := s.PutObject(ctx, by, p, errReader{nil}); return err },
		"Head":          func() error { _, err := s.Head(ctx, v); return err },
		"Open":          func() error { _, _, err := s.Open(ctx, v); return err },
		"Delete":        func() error { _, err := s.Delete(ctx, by, v); return err },
		"List":          func() error { _, err := s.List(ctx, object.ListQuery{Bucket: "b"}); return err },
		"CopyObject":    func() error { _, _, err := s.CopyObject(ctx, by, v, p, nil); return err },
		"AppendObject":  func() error { _, err := s.AppendObject(ctx, by, p, 0, errReader{nil}); return err },
		"Seal":          func() error { _, err := s.SealAppendObject(ctx, by, "b", "k", 0); return err },
		"PutSymlink":    func() error { _, err := s.PutSymlink(ctx, by, p, "t"); return err },
		"UpdateObject":  func() error { _, err := s.UpdateObject(ctx, by, v, nil); return err },
		"Initiate":      func() error { _, err := s.InitiateUpload(ctx, by, p); return err },
		"UploadPart":    func() error { _, err := s.UploadPart(ctx, by, u, 1, p, errReader{nil}); return err },
		"UploadPartCop": func() error { _, _, err := s.UploadPartCopy(ctx, by, u, 1, v, 0, -1, nil); return err },
		"Complete":      func() error { _, err := s.CompleteUpload(ctx, by, u, object.Completion{}); return err },
		"Abort":         func() error { return s.AbortUpload(ctx, by, u) },
		"Parts":         func() error { _, _, _, err := s.Parts(ctx, u, 0, 1); return err },
		"UploadList":    func() error { _, err := s.UploadList(ctx, object.UploadQuery{Bucket: "b"}); return err },
		"Snapshot":      func() error { _, err := s.Source().Snapshot(ctx, "b"); return err },
		"Destination": func() error {
			_, err := s.Destination("b", by).Create(ctx, "k", engine.FileOptions{})
			return err
		},
	} {
		if err := do(); !errors.Is(err, stocktake.ErrNoSuchBucket) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBucketMadeAgain checks that a bucket does not see what its predecessor had.
func TestBucketMadeAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{InlineBytes: 64})
	bucket(t, s, object.Enabled)
	made := put(t, s, "k", "1")
	old, err := s.Source().Snapshot(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	remove := func(want error) {
		t.Helper()
		if err := s.DeleteBucket(t.Context(), by, "b"); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	drop := func(id string) object.Deleted {
		t.Helper()
		did, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: "k", ID: id})
		if err != nil {
			t.Fatal(err)
		}
		return did
	}
	remove(object.ErrBucketNotEmpty)
	marker := drop("")
	drop(made.VersionID)
	remove(object.ErrBucketNotEmpty) // the delete marker remains
	drop(marker.VersionID)
	u, err := s.InitiateUpload(t.Context(), by, object.Put{Bucket: "b", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	remove(object.ErrBucketNotEmpty)
	if err := s.AbortUpload(t.Context(), by, object.UploadID{Bucket: "b", Key: "k", ID: u.ID}); err != nil {
		t.Fatal(err)
	}
	remove(nil)
	remove(stocktake.ErrNoSuchBucket)

	bucket(t, s, object.Unversioned)
	page, err := s.List(t.Context(), object.ListQuery{Bucket: "b", Versions: true, Max: 10})
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("%+v: %v", page, err)
	}
	if _, err := s.Head(t.Context(), object.Version{Bucket: "b", Key: "k"}); !errors.Is(err, object.ErrNoSuchKey) {
		t.Error(err)
	}
	if stat, err := s.BucketStat(t.Context(), "b"); err != nil || stat != (object.BucketStat{}) {
		t.Errorf("%+v: %v", stat, err)
	}
	if n, err := old.Count(t.Context(), ""); err != nil || n != 1 {
		t.Error(n, err)
	}
}
