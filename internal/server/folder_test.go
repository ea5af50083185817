package server

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A read-only data folder is refused with that reason, before its parts are opened.
func TestFolderIsWritable(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there may be no folder that root cannot write")
	}
	err := Folder("/sys").checkUsable()
	if bad, ok := errors.AsType[*SettingError](err); !ok || bad.Setting != "data" || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if err := Folder(dir).checkUsable(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"index", "blobs", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := Folder(dir).checkUsable(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"index", "blobs", "tmp"} {
		if left, err := os.ReadDir(filepath.Join(dir, name)); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/sys", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		err := Folder(dir).checkUsable()
		if bad, ok := errors.AsType[*SettingError](err); !ok || bad.Setting != "data" || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
