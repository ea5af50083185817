package datafolder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/datafolder"
)

// A part that this user may not read is not lost, and cannot be given up: it would be renamed.
func TestForbidden(t *testing.T) {
	for _, p := range datafolder.Parts() {
		if p.Kind != datafolder.Index && p.Kind != datafolder.Document {
			continue // their contents are not read here
		}
		dir := newFolder(t)
		path := filepath.Join(dir, p.Name)
		check(t, os.Chmod(path, 0))
		t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
		var checked, accepted error
		asOther(t, dir, func() {
			checked = datafolder.Check(dir, datafolder.Options{})
			_, accepted = datafolder.AcceptLoss(dir, []string{p.Name}, time.Now(), datafolder.Options{})
		})
		for _, err := range []error{checked, accepted} {
			if !errors.Is(err, datafolder.ErrNotChecked) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), p.Name) {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

// asOther calls f with the rights of the owner of dir, who is not root.
func asOther(t *testing.T, dir string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	check(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(path, nobody, nobody)
		}
		return err
	}))
	check(t, os.Chmod(filepath.Dir(dir), 0o755))
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with the goroutine
		err := syscall.Setfsuid(nobody)
		if err == nil {
			f()
		}
		done <- err
	}()
	check(t, <-done)
}
