package dirbucket_test

import (
	"context"
	"crypto/md5"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

func open(t *testing.T, dir string) *dirbucket.Bucket {
	t.Helper()
	b, err := dirbucket.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// contractBucket is a folder for the suite.
type contractBucket struct{ *dirbucket.Bucket }

func (contractBucket) Refuses(key string) bool {
	if strings.HasPrefix("odd/", key) { // a folder of that name exists
		return true
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || strings.IndexByte(part, 0) >= 0 || len(part) > 255 {
			return true
		}
	}
	return key == "odd/a" // there is odd/a/b
}

func TestDestination(t *testing.T) {
	sourcetest.RunDestination(t, func(t *testing.T) engine.Destination { return contractBucket{open(t, t.TempDir())} })
}

func TestDestinationWithBase(t *testing.T) {
	sourcetest.RunDestination(t, func(t *testing.T) engine.Destination {
		return contractBucket{open(t, t.TempDir()).WithBase("")}
	})
}

func put(t *testing.T, b *dirbucket.Bucket, key, content string) error {
	t.Helper()
	f, err := b.Create(t.Context(), key, engine.FileOptions{})
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := io.WriteString(f, content); err != nil {
		return err
	}
	return f.Commit(t.Context(), md5.Sum([]byte(content)))
}

func keys(t *testing.T, b *dirbucket.Bucket, prefix string) (keys []string) {
	t.Helper()
	for key, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// No key reaches a file outside the folder, or one that another program is writing.
func TestKeysStayInTheFolder(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "bucket")
	for name, content := range map[string]string{"secret": "s", "bucket/in": "i", "bucket/.stocktake-x": "t"} {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(above, name), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(filepath.Join(above, "secret"), filepath.Join(dir, "link")), os.Symlink(above, filepath.Join(dir, "up"))); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	for _, key := range []string{
		"", ".", "..", "/", "../secret", "a/../../secret", "/etc/passwd", "in/", "in//", "./in", "a\x00b", "up/secret", "link", ".stocktake-x", strings.Repeat("k", 300),
	} {
		if f, err := b.Open(t.Context(), key); err == nil {
			f.Close()
			t.Errorf("%q can be read", key)
		}
		if err := put(t, b, key, "x"); err == nil && key != "link" { // which is replaced
			t.Errorf("%q can be written", key)
		}
		if err := b.Remove(t.Context(), key); err != nil && !strings.HasPrefix(key, "up/") {
			t.Errorf("remove %q: %v", key, err)
		}
	}
	if got := keys(t, b, ""); !slices.Equal(got, []string{"in"}) {
		t.Errorf("keys %q", got)
	}
	raw, err := os.ReadFile(filepath.Join(above, "secret"))
	if err != nil || string(raw) != "s" {
		t.Errorf("the file outside: %q, %v", raw, err)
	}
	if _, err := b.Create(t.Context(), "x", engine.FileOptions{Encryption: stocktake.Encryption{SSEOSS: true}}); !errors.Is(err, dirbucket.ErrEncryption) {
		t.Errorf("encrypted: %v", err)
	}
	if _, err := b.Create(t.Context(), "a/../b", engine.FileOptions{}); !errors.Is(err, dirbucket.ErrKey) {
		t.Errorf("a key with two dots: %v", err)
	}
}

// Files are readable by their user only, folders that become empty are removed, and files of
// crashed writers are removed a day later.
func TestFolderStaysTidy(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, ".stocktake-old"), filepath.Join(dir, ".stocktake-young")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	for _, key := range []string{"a/b/c", "a/d"} {
		if err := put(t, b, key, "x"); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]fs.FileMode{"a": fs.ModeDir | 0o700, "a/b": fs.ModeDir | 0o700, "a/b/c": 0o600} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, st, err, want)
		}
	}
	for _, step := range []struct{ remove, want string }{{"a/b/c", ".stocktake-young a"}, {"a/d", ".stocktake-young"}, {"a", ".stocktake-young"}} {
		if err := b.Remove(t.Context(), step.remove); err != nil {
			t.Error(err)
		}
		entries, _ := os.ReadDir(dir)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); got != step.want {
			t.Errorf("after removing %s: %s, want %s", step.remove, got, step.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the empty folder: %v", err)
	}
	if err := put(t, b, "a/b/c", "again"); err != nil {
		t.Errorf("into a folder that was removed: %v", err)
	}
}

// A key that names a folder, or has a file as a parent, cannot be written: the error says so,
// and no temporary file remains.
func TestFilesAndFoldersInTheWay(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	if err := put(t, b, "a/b", "x"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "a/b/c"} {
		for _, exclusive := range []bool{false, true} {
			f, err := b.Create(t.Context(), key, engine.FileOptions{Exclusive: exclusive})
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Commit(t.Context(), md5.Sum(nil)); err == nil || errors.Is(err, fs.ErrExist) {
				t.Errorf("%s, exclusive %v: %v", key, exclusive, err)
			}
			if err := f.Abort(); err != nil {
				t.Errorf("abort: %v", err)
			}
		}
		if _, err := b.Open(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open %s: %v", key, err)
		}
		if err := b.Remove(t.Context(), key); err != nil {
			t.Errorf("remove %s: %v", key, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d entries", len(entries))
	}
}

// A run writes its report to a folder, and a part of the folder is read as the bucket that it
// was downloaded from.
func TestReport(t *testing.T) {
	store := membucket.New(nil, "photos")
	store.Bucket("photos").Load(membucket.UniformRecords(1000)...)
	dir := t.TempDir()
	b := open(t, dir)
	job := engine.Job{Run: "run-1", Attempt: 1, Bucket: "photos", Configuration: stocktake.InventoryConfiguration{
		ID: "all", IncludedObjectVersions: stocktake.CurrentVersions, Destination: stocktake.Destination{Format: "CSV", Bucket: "reports", Prefix: "inv"},
	}}
	result, err := engine.Run(t.Context(), store, b, job, engine.Options{Workers: 2, MinSegment: 100, Limits: report.Limits{Rows: 99}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(b report.Bucket) {
		t.Helper()
		v, err := report.Verify(context.Background(), b, result.Manifest, report.VerifyOptions{})
		if err != nil || !v.OK || v.Rows != 1000 {
			t.Errorf("%+v, %v", v, err)
		}
	}
	verify(b)
	part := open(t, filepath.Join(dir, "inv", "photos", "all")).WithBase("inv/photos/all/")
	verify(part)
	if got, want := keys(t, part, "inv/photos/a"), keys(t, b, ""); !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	if got := keys(t, part, "other"); len(got) > 0 {
		t.Errorf("keys %q outside", got)
	}
	if _, err := part.Open(t.Context(), "else"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key outside: %v", err)
	}
	if n, err := b.FreeSpace(t.Context()); err != nil || n == 0 {
		t.Errorf("room %d, %v", n, err)
	}
}
