package sqlite_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
)

// TestCheck damages a catalog in several ways.
func TestCheck(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "catalog.db")
	c, err := sqlite.Open(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		id := fmt.Sprint(i)
		first := catalogtest.Queued("photos", id, id)
		if err := c.AddConfiguration(t.Context(), catalogtest.Entry("photos", id), &first, catalogtest.Holder, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if err := sqlite.Check(t.Context(), whole, true); err != nil {
		t.Errorf("while it is open: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Check(t.Context(), whole, true); err != nil {
		t.Errorf("whole: %v", err)
	}
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"not a database": func([]byte) []byte { return make([]byte, 8192) },
		"cut":            func(b []byte) []byte { return b[:len(b)/2] },
		"a page of noise": func(b []byte) []byte {
			for i := len(b) - 3*4096; i < len(b)-2*4096; i++ {
				b[i] = byte(i * 7)
			}
			return b
		},
	} {
		path := filepath.Join(t.TempDir(), "catalog.db")
		if err := os.WriteFile(path, damage(append([]byte(nil), content...)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, thorough := range []bool{false, true} {
			if err := sqlite.Check(t.Context(), path, thorough); !errors.Is(err, sqlite.ErrDamaged) {
				t.Errorf("%s, thorough %v: %v, want %v", name, thorough, err, sqlite.ErrDamaged)
			}
		}
		if c, err := sqlite.Open(t.Context(), path); err == nil {
			_ = c.Close()
		} else if !errors.Is(err, sqlite.ErrDamaged) {
			t.Errorf("open: %s: %v, want %v", name, err, sqlite.ErrDamaged)
		}
	}
	missing := filepath.Join(t.TempDir(), "catalog.db")
	if err := sqlite.Check(t.Context(), missing, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the check has made a catalog")
	}
}
