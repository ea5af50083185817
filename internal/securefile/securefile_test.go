package securefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var errBroken = errors.New("broken")

// flaky fails the n-th operation.
type flaky struct {
	osFiles
	n int
}

func (f *flaky) fail() bool { f.n--; return f.n == 0 }

func (f *flaky) Create(dir, pattern string) (file, error) {
	if f.fail() {
		return nil, errBroken
	}
	inner, err := f.osFiles.Create(dir, pattern)
	return &flakyFile{inner, f}, err
}

func (f *flaky) Rename(from, to string) error {
	if f.fail() {
		return errBroken
	}
	return f.osFiles.Rename(from, to)
}

func (f *flaky) SyncDir(dir string) error {
	if f.fail() {
		return errBroken
	}
	return f.osFiles.SyncDir(dir)
}

type flakyFile struct {
	file
	fs *flaky
}

func (f *flakyFile) Write(b []byte) (int, error) {
	if f.fs.fail() {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, errBroken
	}
	return f.file.Write(b)
}

func (f *flakyFile) Sync() error {
	if f.fs.fail() {
		return errBroken
	}
	return f.file.Sync()
}

func (f *flakyFile) Close() error {
	err := f.file.Close()
	if f.fs.fail() {
		return errBroken
	}
	return err
}

func TestReplaceIsAllOrNothing(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		if err := Replace(path, []byte("old")); err != nil {
			t.Fatal(err)
		}
		fs := &flaky{n: n}
		err := replace(fs, path, []byte("the new one"))
		got, readErr := Read(path, 100)
		if readErr != nil {
			t.Fatal(readErr)
		}
		want := "old"
		if err == nil || fs.n == 0 && n == 6 { // the last one is the sync of the folder
			want = "the new one"
		}
		if string(got) != want {
			t.Errorf("operation %d failed (%v): file holds %q, want %q", n, err, got, want)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Errorf("operation %d failed: %q left behind", n, left)
		}
		if err == nil {
			if n != 7 {
				t.Errorf("%d operations, want 6", n-1)
			}
			break
		}
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if _, err := Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := Replace(path, []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if b, err := Read(path, 10); err != nil || string(b) != "0123456789" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Read(path, 9); err == nil || !strings.Contains(err.Error(), "more than 9 bytes") {
		t.Errorf("too long: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 10); !errors.Is(err, ErrTooOpen) {
		t.Errorf("readable by a group: %v", err)
	}
}

// Two that change a file under its lock do not lose each other's changes.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Replace(path, nil); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	const writers, times = 4, 20
	for range writers {
		go func() {
			for range times {
				unlock, err := Lock(path)
				if err != nil {
					done <- err
					return
				}
				b, err := Read(path, 1000)
				if err == nil {
					err = Replace(path, append(b, 'x'))
				}
				if err := errors.Join(err, unlock()); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if b, err := Read(path, 1000); err != nil || len(b) != writers*times {
		t.Errorf("%d changes kept, %v; want %d", len(b), err, writers*times)
	}
	if _, err := Lock(filepath.Join(path, "no", "folder")); err == nil {
		t.Error("locked in a folder that is not there")
	}
}
