package dirbucket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

const (
	// temporary begins the names of files that are being written. They are in the folder
	// itself, so that they can be renamed to any folder below it.
	temporary = ".stocktake-"

	// abandoned is the age of a temporary file after which its writer must have ended. Writing
	// a shard takes minutes.
	abandoned = 24 * time.Hour
)

// ErrEncryption is returned for a file that the destination is to encrypt.
var ErrEncryption = errors.New("a folder does not encrypt files")

// Create implements [engine.Destination]. Only the user can read the file, which has a
// temporary name until Commit. The next writer removes temporary files that a crashed process
// has left a day before.
func (b *Bucket) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.Encryption != (stocktake.Encryption{}) {
		return nil, ErrEncryption
	}
	name, err := b.name(key)
	if err != nil {
		return nil, err
	}
	b.dir.cleanup.Do(b.dir.removeAbandoned)
	temp := temporary + rand.Text()
	f, err := b.dir.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &file{dir: b.dir, f: f, temp: temp, name: name, exclusive: opts.Exclusive}, nil
}

// removeAbandoned removes temporary files whose writers must have ended. It ignores errors: a
// file that remains only takes space.
func (d *dir) removeAbandoned() {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), temporary) {
			continue
		}
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() && time.Since(st.ModTime()) > abandoned {
			_ = d.root.Remove(e.Name())
		}
	}
}

// file is a file under its temporary name.
type file struct {
	dir        *dir
	f          *os.File // nil: it is closed
	temp, name string
	exclusive  bool
	ended      bool // it was committed or dropped
	err        error
}

func (f *file) Write(p []byte) (int, error) {
	if f.f == nil {
		return 0, fs.ErrClosed
	}
	n, err := f.f.Write(p)
	if err != nil {
		f.err = err
	}
	return n, err
}

// Commit implements [engine.File].
func (f *file) Commit(ctx context.Context, _ [16]byte) error {
	switch err := ctx.Err(); {
	case f.f == nil:
		return fs.ErrClosed
	case err != nil:
		return err
	case f.err != nil: // it is not whole
		return f.err
	}
	err := errors.Join(f.f.Sync(), f.f.Close())
	if f.f = nil; err != nil {
		return err
	}
	if err := f.dir.moveIntoPlace(f.temp, f.name, f.exclusive); err != nil {
		return err
	}
	f.ended = true
	return f.dir.sync(filepath.Dir(f.name))
}

// Abort implements [engine.File].
func (f *file) Abort() error {
	if f.ended {
		return nil
	}
	f.ended = true
	var err error
	if f.f != nil {
		err = f.f.Close()
		f.f = nil
	}
	if e := f.dir.root.Remove(f.temp); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// attempts bounds how often a file is moved while another process removes empty folders.
const attempts = 10

// moveIntoPlace moves a temporary file to its final name.
func (d *dir) moveIntoPlace(temp, name string, exclusive bool) (err error) {
	for range attempts {
		if err = d.root.MkdirAll(filepath.Dir(name), 0o700); errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("a file lies where %s needs a folder: %s", name, err) // it is not the file that exists
		}
		if err == nil && exclusive {
			err = d.link(temp, name)
		} else if err == nil {
			err = d.root.Rename(temp, name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		if st, e := d.root.Lstat(name); e == nil && st.IsDir() {
			return fmt.Errorf("%s is a folder", name)
		}
	}
	return err
}

// link links a temporary file to a name that must not exist. A hard link is the only call that
// does so atomically on all systems. On a file system without hard links, only writers of this
// process exclude each other.
func (d *dir) link(temp, name string) error {
	err := d.root.Link(temp, name)
	switch {
	case err == nil:
		return d.root.Remove(temp)
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return err
	case !errors.Is(err, syscall.EPERM) && !errors.Is(err, errors.ErrUnsupported):
		return err
	}
	d.namesMu.Lock()
	defer d.namesMu.Unlock()
	if _, err := d.root.Lstat(name); err == nil {
		return fmt.Errorf("%s: %w", name, fs.ErrExist)
	}
	return d.root.Rename(temp, name)
}

// sync makes the names in a folder, and the folder itself, survive a crash.
func (d *dir) sync(name string) error {
	if runtime.GOOS == "windows" {
		return nil // this system cannot sync folders
	}
	for {
		d.mu.Lock()
		known := d.synced[name]
		d.mu.Unlock()
		f, err := d.root.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
		if known {
			return nil
		}
		d.mu.Lock()
		d.synced[name] = true
		d.mu.Unlock()
		name = filepath.Dir(name)
	}
}

// forgetSynced is called before a folder is removed.
func (d *dir) forgetSynced(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.synced, name)
}
