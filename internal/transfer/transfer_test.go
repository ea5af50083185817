package transfer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files that cannot be uploaded are skipped with a reason, and the others are
// found.
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
	tree, err := FindFiles(dir)
	if err != nil || len(tree.Files) != 2 || tree.Bytes != int64(len("a.txt")+len("deep/b.txt")) {
		t.Errorf("found %v, %v", tree.Files, err)
	}
	said := strings.Join(tree.skipped, "\n")
	for _, want := range []string{"data: it is the data folder of a server", "link: it is not a regular file"} {
		if len(tree.skipped) != 2 || !strings.Contains(said, want) {
			t.Errorf("skipped %q; want %q", said, want)
		}
	}
}

// A file that cannot be read does not stop the other transfers; an error of the
// service does.
func TestAll(t *testing.T) {
	missing := func(context.Context) error { _, err := os.Open(filepath.Join(t.TempDir(), "gone")); return err }
	done := func(context.Context) error { return nil }
	refused := errors.New("refused")
	for name, tt := range map[string]struct {
		all  []Item
		want Totals
		err  error
	}{
		"all":     {[]Item{{"a", 1, done}, {"b", 2, done}}, Totals{Objects: 2, Bytes: 3}, nil},
		"one":     {[]Item{{"a", 1, missing}, {"b", 2, done}}, Totals{Objects: 1, Bytes: 2, Failed: 1}, nil},
		"refused": {[]Item{{"a", 1, func(context.Context) error { return refused }}}, Totals{}, refused},
	} {
		var errs strings.Builder
		got, err := All(t.Context(), &errs, "upload", -1, func(yield func(Item, error) bool) {
			for _, one := range tt.all {
				if !yield(one, nil) {
					return
				}
			}
		})
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, err, tt.want, tt.err)
		}
		if (got.Failed > 0) != strings.Contains(errs.String(), "left out: open ") || (got.Err() != nil) != (got.Failed > 0) {
			t.Errorf("%s: said %q, result %v", name, errs.String(), got.Err())
		}
	}
}
