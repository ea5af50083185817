package server

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
)

// A read-only data folder is refused with that reason, before its parts are opened.
func TestFolderIsWritable(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there may be no folder that root cannot write")
	}
	err := Folder("/sys").checkWritable()
	if bad, ok := errors.AsType[*SettingError](err); !ok || bad.Setting != "data" || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if err := Folder(dir).checkWritable(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
