package store_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/internal/store"
)

// blobFiles returns the names of all blob files of a store, finished or not.
func blobFiles(t testing.TB, dir string) (names []string) {
	t.Helper()
	for _, root := range []string{"tmp", "blobs"} {
		names = append(names, allFiles(t, filepath.Join(dir, root))...)
	}
	return names
}

// allFiles returns the names of all files below dir.
func allFiles(t testing.TB, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What a link in the place of tmp leads to is not emptied.
func TestLinkedTmpIsRefused(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	keep := filepath.Join(outside, "keep")
	if err := os.WriteFile(keep, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "tmp")); err != nil {
		t.Fatal(err)
	}
	if s, err := store.Open(t.Context(), dir, store.Options{}); err == nil {
		t.Error("opened", s.Close())
	}
	if _, err := os.Stat(keep); err != nil {
		t.Error(err)
	}
}
