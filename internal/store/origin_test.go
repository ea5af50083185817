package store_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// Every change without an origin is refused and changes nothing. A method that
// takes no origin fails the test unless it is listed here.
func TestChangesNeedAnOrigin(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	ctx := t.Context()
	check(t, s.CreateBucket(ctx, by, object.Bucket{Name: "b", Owner: "1", ACL: stocktake.Private}, false))
	put := object.Put{Bucket: "b", Key: "k", Size: 1}
	key := object.Version{Bucket: "b", Key: "k"}
	_, err := s.PutObject(ctx, by, put, strings.NewReader("x"))
	check(t, err)
	_, err = s.AppendObject(ctx, by, object.Put{Bucket: "b", Key: "log", Size: 1}, 0, strings.NewReader("x"))
	check(t, err)
	up, err := s.InitiateUpload(ctx, by, object.Put{Bucket: "b", Key: "up"})
	check(t, err)
	upload := object.UploadID{Bucket: "b", Key: "up", ID: up.ID}
	_, err = s.UploadPart(ctx, by, upload, 1, object.Put{Size: 1}, strings.NewReader("x"))
	check(t, err)

	var unnamed object.Origin
	changes := map[string]func() error{
		"CreateBucket": func() error {
			return s.CreateBucket(ctx, unnamed, object.Bucket{Name: "c", Owner: "1", ACL: stocktake.Private}, false)
		},
		"UpdateBucket": func() error {
			return s.UpdateBucket(ctx, unnamed, "b", func(b *object.Bucket) error { b.RequesterPays = true; return nil })
		},
		"DeleteBucket": func() error { return s.DeleteBucket(ctx, unnamed, "b") },
		"PutObject": func() error {
			_, err := s.PutObject(ctx, unnamed, put, strings.NewReader("y"))
			return err
		},
		"CopyObject": func() error {
			_, _, err := s.CopyObject(ctx, unnamed, key, object.Put{Bucket: "b", Key: "copy"}, func(object.Info, *object.Put) error { return nil })
			return err
		},
		"AppendObject": func() error {
			_, err := s.AppendObject(ctx, unnamed, object.Put{Bucket: "b", Key: "log", Size: 1}, 1, strings.NewReader("y"))
			return err
		},
		"SealAppendObject": func() error { _, err := s.SealAppendObject(ctx, unnamed, "b", "log", 1); return err },
		"PutSymlink": func() error {
			_, err := s.PutSymlink(ctx, unnamed, object.Put{Bucket: "b", Key: "link"}, "k")
			return err
		},
		"UpdateObject": func() error {
			_, err := s.UpdateObject(ctx, unnamed, key, func(o *object.Info) error { o.ACL = stocktake.PublicRead; return nil })
			return err
		},
		"Delete": func() error { _, err := s.Delete(ctx, unnamed, key); return err },
		"DeleteIf": func() error {
			_, err := s.DeleteIf(ctx, unnamed, key, func(object.Info) error { return nil })
			return err
		},
		"InitiateUpload": func() error { _, err := s.InitiateUpload(ctx, unnamed, put); return err },
		"UploadPart": func() error {
			_, err := s.UploadPart(ctx, unnamed, upload, 2, object.Put{Size: 1}, strings.NewReader("y"))
			return err
		},
		"UploadPartCopy": func() error {
			_, _, err := s.UploadPartCopy(ctx, unnamed, upload, 2, key, 0, -1, func(object.Info) error { return nil })
			return err
		},
		"CompleteUpload": func() error { _, err := s.CompleteUpload(ctx, unnamed, upload, object.Completion{}); return err },
		"AbortUpload":    func() error { return s.AbortUpload(ctx, unnamed, upload) },
		"Destination": func() error {
			f, err := s.Destination("b", unnamed).Create(ctx, "report", engine.FileOptions{})
			if err == nil {
				_, err = f.Write([]byte("x"))
				err = errors.Join(err, f.Commit(ctx, [16]byte{}))
			}
			return err
		},
	}
	readers := []string{"Audit", "Backup", "Bucket", "Checkpoint", "BucketNames", "BucketStat", "Buckets", "Close", "Disk", "Head", "Health", "IndexState", "Journal", "List", "Open", "Parts", "Scrub", "Scrubbed", "Settle", "Source", "Totals", "UploadList"}
	origin := reflect.TypeFor[object.Origin]()
	for m := range reflect.TypeFor[*store.Store]().Methods() {
		takesOrigin := false
		for i := range m.Type.NumIn() {
			takesOrigin = takesOrigin || m.Type.In(i) == origin
		}
		if takesOrigin != (changes[m.Name] != nil) || takesOrigin == slices.Contains(readers, m.Name) {
			t.Errorf("%s: takes an origin: %v; listed as a change: %v; as a reader: %v", m.Name, takesOrigin, changes[m.Name] != nil, slices.Contains(readers, m.Name))
		}
	}

	before := state(t, s)
	for name, change := range changes {
		if err := change(); !errors.Is(err, object.ErrNoOrigin) {
			t.Errorf("%s: %v, want ErrNoOrigin", name, err)
		}
	}
	if after := state(t, s); after != before {
		t.Errorf("changes without an origin left %s, want %s", after, before)
	}
}

// state returns what an audit counts, for comparison.
func state(t *testing.T, s *store.Store) string {
	t.Helper()
	a, err := s.Audit(t.Context(), func(p store.Problem) { t.Errorf("audit: %v", p) }, nil)
	check(t, err)
	return a.String()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
