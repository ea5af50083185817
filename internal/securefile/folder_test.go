//go:build unix

package securefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCheckFolder(t *testing.T) {
	if err := CheckFolder(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	for name, c := range map[string]struct {
		prepare func(dir string) error
		want    string // part of the error; empty: safe
	}{
		"empty":     {func(string) error { return nil }, ""},
		"file":      {func(d string) error { return os.WriteFile(filepath.Join(d, "keys.json"), nil, 0o644) }, ""},
		"shared":    {func(d string) error { return os.Chmod(d, 0o757) }, "writable by everyone"},
		"sticky":    {func(d string) error { return os.Chmod(d, 0o777|os.ModeSticky) }, "writable by everyone"},
		"group":     {func(d string) error { return os.Chmod(d, 0o775) }, ""},
		"link":      {func(d string) error { return os.Symlink(d, filepath.Join(d, "tmp")) }, "tmp is a symbolic link"},
		"dead link": {func(d string) error { return os.Symlink("nowhere", filepath.Join(d, "access.json.lock")) }, "access.json.lock is a symbolic link"},
		"open inner": {func(d string) error {
			return errors.Join(os.Mkdir(filepath.Join(d, "blobs"), 0o700), os.Chmod(filepath.Join(d, "blobs"), 0o777))
		}, "blobs"},
	} {
		dir := t.TempDir()
		if err := c.prepare(dir); err != nil {
			t.Fatal(err)
		}
		err := CheckFolder(dir)
		if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrUnsafeFolder) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A lock is not taken through a link, which would make a file elsewhere, and a
// named pipe in the place of a secret is an error at once.
func TestPreparedFiles(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "made")
	if err := os.Symlink(outside, filepath.Join(dir, "f.lock")); err != nil {
		t.Fatal(err)
	}
	if unlock, err := Lock(filepath.Join(dir, "f")); err == nil {
		t.Error("locked through a link", unlock())
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("a file was made elsewhere")
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(pipe, 10); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := Read(dir, 10); err == nil {
		t.Error("a folder was read")
	}
}
