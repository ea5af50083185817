// Package securefile keeps small files that hold secrets: readable by their owner only, replaced
// whole or not at all, durable when Replace returns, and changed by one process at a time. A
// [Document] is the parsed state of such a file, or of the content of another [Storage].
package securefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrTooOpen reports a file that users other than the owner may read. A file owned by root may be
// readable by its group if the process does not run as root.
var ErrTooOpen = errors.New("users other than its owner may read it; chmod 600 it")

// Read reads a regular file of at most max bytes. The error is [ErrTooOpen] if
// others may read it, and fs.ErrNotExist if there is none.
func Read(path string, max int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if tooOpen(info) {
		return nil, fmt.Errorf("%s: %w", path, ErrTooOpen)
	}
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, fmt.Errorf("%s: more than %d bytes", path, max)
	}
	return b, nil
}

// Replace replaces the content of path by data. After an error path has its former content or, only
// if the final sync of the folder failed, data.
func Replace(path string, data []byte) error { return replace(osFiles{}, path, data) }

// files has the operations that replace needs from the operating system, so that tests can fail
// each once.
type files interface {
	Create(dir, pattern string) (file, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error
}

type file interface {
	io.WriteCloser
	Name() string
	Sync() error
}

func replace(fs files, path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := fs.Create(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		if !renamed {
			_ = fs.Remove(f.Name()) // err says what matters
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(f.Name(), path); err != nil {
		return err
	}
	renamed = true
	return fs.SyncDir(dir)
}

// removeUnfinished removes the files that interrupted calls of Replace left next to path; they hold
// secrets, too. The caller holds the lock of path, so no call is in progress.
func removeUnfinished(path string) error {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		random, found := strings.CutPrefix(e.Name(), "."+filepath.Base(path)+"-")
		if !found || strings.Trim(random, "0123456789") != "" {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

type osFiles struct{}

// Create makes a file of mode 0600.
func (osFiles) Create(dir, pattern string) (file, error) { return os.CreateTemp(dir, pattern) }
func (osFiles) Rename(from, to string) error             { return os.Rename(from, to) }
func (osFiles) Remove(path string) error                 { return os.Remove(path) }

func (osFiles) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Lock waits until no other process holds the lock of path and takes it. The
// lock is on the file path.lock, which is never removed, and ends with the
// process. A symbolic link in its place is an error.
func Lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|noFollow|noWait, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: f.Name(), Err: err}, f.Close())
	}
	return f.Close, nil
}
