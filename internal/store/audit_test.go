package store_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"golang.org/x/sync/errgroup"
)

// damaged returns a store with something of each kind, and where its files are.
func damaged(t *testing.T) (*store.Store, *vfs.MemFS) {
	t.Helper()
	fsys := vfs.NewMem()
	opts := quiet(fsys)
	opts.Keys = keyring{}
	s := open(t, "data", opts)
	bucket(t, s, object.Enabled)
	sealed := object.Encryption{Algorithm: "AES256"}
	for _, size := range []int{0, 10, 64, 65, 3000, 300_000} {
		for _, e := range []*object.Encryption{nil, &sealed} {
			p := object.Put{Attributes: object.Attributes{Encryption: e}, Bucket: "b", Key: "k", Size: -1}
			if _, err := s.PutObject(t.Context(), by, p, strings.NewReader(strings.Repeat("x", size))); err != nil {
				t.Fatal(err)
			}
			p.Key = "log"
			if e != nil {
				p.Key = "sealed-log"
			}
			info, err := s.Head(t.Context(), object.Version{Bucket: "b", Key: p.Key})
			if err != nil {
				info.Size = 0
			}
			if _, err := s.AppendObject(t.Context(), by, p, info.Size, bytes.NewReader(make([]byte, 600_000))); err != nil {
				t.Fatal(err)
			}
		}
	}
	u, err := s.InitiateUpload(t.Context(), by, object.Put{Bucket: "b", Key: "parts"})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		id := object.UploadID{Bucket: "b", Key: "parts", ID: u.ID}
		if _, err := s.UploadPart(t.Context(), by, id, n+1, object.Put{Size: -1}, strings.NewReader(strings.Repeat("p", n*100))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: "gone"}); err != nil {
		t.Fatal(err)
	}
	return s, fsys
}

func audit(t *testing.T, s *store.Store) (store.Audit, []string) {
	t.Helper()
	var problems []string
	a, err := s.Audit(t.Context(), func(p store.Problem) { problems = append(problems, p.String()) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a, problems
}

// TestAudit damages a store in each way that an audit can detect, one after the
// other. Each audit reports that damage and nothing else.
func TestAudit(t *testing.T) {
	s, fsys := damaged(t)
	a, problems := audit(t, s)
	files := memFiles(t, fsys, "data/blobs")
	if len(problems) > 0 || a.Files != int64(len(files)) || a.Versions != 15 || a.Uploads != 1 || a.Parts != 3 || a.Passing != 0 {
		t.Fatalf("%v: %v, %d files", a, problems, len(files))
	}
	write := func(path, data string) {
		t.Helper()
		f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, data); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"a stray file", func() { write(files[0][:len(files[0])-16]+"0000000000000fff", "x") }, "no row names its file"},
		{"a file of no blob", func() { write("data/blobs/note", "x") }, "the name is not that of a blob"},
		{"a lost file", func() {
			if err := fsys.Remove(files[0]); err != nil {
				t.Fatal(err)
			}
		}, "of bucket b (row 4f"},
		{"a short file", func() { write(files[1], "x") }, "has 1 bytes, want"},
		{"a lost blob in the index", func() { store.Damage(t, s, 'D', nil) }, "is not in the index"},
		{"a blob in the index that nothing names", func() { store.Damage(t, s, 'D', []byte("x")) }, "no row names it"},
		{"a lost row", func() { store.Damage(t, s, 'O', nil) }, "bucket b: its statistics are 1"},
		{"a lost upload", func() { store.Damage(t, s, 'U', nil) }, "its upload does not exist"},
	} {
		step.do()
		_, problems := audit(t, s)
		found := 0
		for _, p := range problems {
			if strings.Contains(p, step.want) {
				found++
			}
		}
		if found == 0 || len(problems) <= told {
			t.Errorf("%s is not told: %d problems, %d before\n%s", step.name, len(problems), told, strings.Join(problems, "\n"))
		}
		told = len(problems)
	}
}

// TestAuditAmidWriters audits while others write: nothing is wrong.
func TestAuditAmidWriters(t *testing.T) {
	fsys := vfs.NewMem()
	s := open(t, "data", quiet(fsys))
	bucket(t, s, object.Unversioned)
	put(t, s, "source", strings.Repeat("s", 100))
	var g errgroup.Group
	stop := make(chan struct{})
	for w := range 4 {
		g.Go(func() error {
			for i := int64(1); ; i++ {
				select {
				case <-stop:
					return nil
				default:
				}
				if err := takeStep(t, s, string(rune('a'+w)), i); err != nil {
					return err
				}
			}
		})
	}
	var all []string
	for range 100 {
		_, problems := audit(t, s)
		all = append(all, problems...)
	}
	close(stop)
	if err := g.Wait(); err != nil || len(all) > 0 {
		t.Errorf("%v: %v", err, all)
	}
}
