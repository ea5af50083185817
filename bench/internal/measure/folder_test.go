package measure_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/bench/internal/measure"
)

func TestWritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	for range 2 {
		if err := measure.Writable(dir); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Errorf("no folder: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if measure.Writable(file) == nil {
		t.Error("no error for a file")
	}
	if os.Geteuid() != 0 { // who may write everywhere
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if measure.Writable(dir) == nil {
			t.Error("no error for a folder that may only be read")
		}
	}
}

func TestSettle(t *testing.T) {
	dir := t.TempDir()
	if err := measure.Settle(dir); err != nil {
		t.Error(err)
	}
	if measure.Settle(filepath.Join(dir, "not-there")) == nil {
		t.Error("no error for no folder")
	}
}
