package store_test

import (
	"io/fs"
	"path/filepath"
	"testing"
)

// blobFiles are the names of all blob files of a store, finished or not.
func blobFiles(t testing.TB, dir string) (names []string) {
	t.Helper()
	for _, root := range []string{"tmp", "blobs"} {
		names = append(names, allFiles(t, filepath.Join(dir, root))...)
	}
	return names
}

// allFiles are the names of all files below dir.
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
