//go:build unix

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stocktake/stocktake/report"
)

// What is not a regular file is refused at once, whatever name it has: opening
// a named pipe would wait for a writer, and a device has no end.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	b := dirBucket{root: root}
	for _, name := range []string{"pipe", "folder"} {
		f, err := b.Open(t.Context(), name)
		if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("Open %s: %v", name, err)
		}
		if err == nil {
			f.Close()
		}
		if f, err := b.OpenRange(t.Context(), name, 0, 1); err == nil {
			t.Errorf("OpenRange %s: no error", name)
			f.Close()
		}
	}

	// The same through the command: a folder that holds a report whose manifest is
	// a pipe.
	at := filepath.Join(dir, "2026-01-05T16-00Z")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(at, report.ManifestName), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{filepath.Join(at, report.ManifestName), at, dir} {
		if p, err := openFolder(where); err == nil {
			t.Errorf("%s: no error", where)
			p.close()
		}
	}
}

func TestFolderIsReadInRanges(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	b := dirBucket{root: root}
	for _, tt := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {3, -1, "3456789"}, {3, 2, "34"}, {3, 0, ""}, {9, 5, "9"}} {
		f, err := b.OpenRange(t.Context(), "f", tt.offset, tt.length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || string(got) != tt.want {
			t.Errorf("%d bytes from %d: %q, %v, want %q", tt.length, tt.offset, got, err, tt.want)
		}
	}
	for _, offset := range []int64{-1, 10, 11} {
		if _, err := b.OpenRange(t.Context(), "f", offset, -1); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("from %d: %v, want %v", offset, err, io.ErrUnexpectedEOF)
		}
	}
}
