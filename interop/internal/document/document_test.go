package document_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/interop/internal/document"
)

func TestUpdate(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"replaces", "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n", "a\n<!-- begin x -->\nnew\n<!-- end x -->\nb\n"},
		{"fills", "<!-- begin x -->\n<!-- end x -->\n", "<!-- begin x -->\nnew\n<!-- end x -->\n"},
		{"knows its own", "<!-- begin y -->\ny\n<!-- end y -->\n<!-- begin x -->\n<!-- end x -->\n", "<!-- begin y -->\ny\n<!-- end y -->\n<!-- begin x -->\nnew\n<!-- end x -->\n"},
		{"needs a beginning", "<!-- end x -->\n", ""},
		{"needs an end", "<!-- end x -->\n<!-- begin x -->\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "d.md")
			if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			err := document.Update(path, "x", []byte("new\n"))
			got, rerr := os.ReadFile(path)
			if rerr != nil {
				t.Fatal(rerr)
			}
			if tt.want == "" {
				if err == nil || string(got) != tt.text {
					t.Errorf("error %v, file %q; want an error and no change", err, got)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("error %v, file %q; want %q", err, got, tt.want)
			}
		})
	}
}
