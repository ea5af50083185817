package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/server"
)

// What cannot be uploaded is left out with its reason, and the rest is found.
func TestFindFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "deep/b.txt", "data/catalog.db", "data/index/x", "data/root-key.json"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	tree, err := findFiles(dir)
	if err != nil || len(tree.files) != 2 || tree.bytes != int64(len("a.txt")+len("deep/b.txt")) {
		t.Errorf("found %v, %v", tree.files, err)
	}
	said := strings.Join(tree.skipped, "\n")
	for _, want := range []string{"data: it is the data folder of a server", "link: it is not a regular file"} {
		if len(tree.skipped) != 2 || !strings.Contains(said, want) {
			t.Errorf("skipped %q; want %q", said, want)
		}
	}
	if server.Folder(filepath.Join(dir, "deep")).Index() == "" || isDataFolder(filepath.Join(dir, "deep")) {
		t.Error("deep is not a data folder")
	}
}

// A file that cannot be read does not keep the others from their way; an answer
// of the service that is an error ends it.
func TestTransferAll(t *testing.T) {
	missing := func(context.Context) error { _, err := os.Open(filepath.Join(t.TempDir(), "gone")); return err }
	done := func(context.Context) error { return nil }
	refused := errors.New("refused")
	for name, tt := range map[string]struct {
		all  []transfer
		want transferred
		err  error
	}{
		"all":     {[]transfer{{"a", 1, done}, {"b", 2, done}}, transferred{Objects: 2, Bytes: 3}, nil},
		"one":     {[]transfer{{"a", 1, missing}, {"b", 2, done}}, transferred{Objects: 1, Bytes: 2, Failed: 1}, nil},
		"refused": {[]transfer{{"a", 1, func(context.Context) error { return refused }}}, transferred{}, refused},
	} {
		var errs strings.Builder
		got, err := transferAll(t.Context(), console{io.Discard, &errs}, "upload", -1, func(yield func(transfer, error) bool) {
			for _, one := range tt.all {
				if !yield(one, nil) {
					return
				}
			}
		})
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, err, tt.want, tt.err)
		}
		if (got.Failed > 0) != strings.Contains(errs.String(), "left out: open ") || (got.result() != nil) != (got.Failed > 0) {
			t.Errorf("%s: said %q, result %v", name, errs.String(), got.result())
		}
	}
}
