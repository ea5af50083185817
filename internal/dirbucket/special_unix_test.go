//go:build unix

package dirbucket_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A named pipe is refused at once: opening it would wait for a writer.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	if f, err := b.Open(t.Context(), "pipe"); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("Open: %v, %v", f, err)
	}
	if f, err := b.OpenRange(t.Context(), "pipe", 0, 1); err == nil {
		t.Errorf("OpenRange: %v, no error", f)
	}
	if got := keys(t, b, ""); len(got) > 0 {
		t.Errorf("keys %q", got)
	}
}
