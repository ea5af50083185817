// Package blob keeps the blobs of the store that are too large for its index,
// one file each. A blob is written under a temporary name, synced, and then
// renamed to a name made of its id. An id is used once, so a finished file never
// changes.
//
//	tmp/<id>                              being written; removed when the store opens
//	blobs/<id / 2^24>/<id / 2^12>/<id>    finished; each in hex, the first two without the digits that the next repeats
//
// Ids ascend, so blobs written at the same time lie in the same folder and share
// that folder's fsync.
package blob

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Dir holds the blob files of one store. Its methods may be called by many
// goroutines at once.
type Dir struct {
	fs    vfs.FS
	dir   string
	plain bool // fs is the operating system's: files may be returned as *os.File

	mu      sync.Mutex
	folders map[string]*folder // that exist durably; cleared now and then
}

// Open opens the blobs of the store in dir and removes unfinished files of an
// interrupted process, so the caller must hold the store's lock. plain says that
// fsys is the operating system's.
func Open(fsys vfs.FS, dir string, plain bool) (*Dir, error) {
	d := &Dir{fs: fsys, dir: dir, plain: plain, folders: map[string]*folder{}}
	for _, sub := range []string{d.tmp(), d.root()} {
		if err := MakeDir(fsys, sub); err != nil {
			return nil, err
		}
		if info, err := os.Lstat(sub); plain && err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%s is a symbolic link", sub) // files elsewhere would be removed
		}
	}
	names, err := fsys.List(d.tmp())
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := fsys.Remove(fsys.PathJoin(d.tmp(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return d, nil
}

// Path returns the name of the file of a finished blob.
func (d *Dir) Path(id uint64) string {
	_, path := d.place(id)
	return path
}

// A File is an open blob.
type File interface {
	io.ReaderAt
	io.Closer
}

// Open opens a finished blob; on the operating system's files the File is an
// *os.File. The error is fs.ErrNotExist if the blob does not exist.
func (d *Dir) Open(id uint64) (File, error) {
	_, path := d.place(id)
	if d.plain {
		return os.Open(filepath.Clean(path))
	}
	return d.fs.Open(path)
}

// Size returns the size of the file of a finished blob, in bytes. The error is
// fs.ErrNotExist if the blob does not exist.
func (d *Dir) Size(id uint64) (int64, error) {
	info, err := d.fs.Stat(d.Path(id))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Remove removes a finished blob; a missing one is not an error. The removal is
// durable after [Dir.SyncFolders].
func (d *Dir) Remove(id uint64) error {
	if err := d.fs.Remove(d.Path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// SyncFolders makes the names and removals of blobs durable.
func (d *Dir) SyncFolders(ids []uint64) error {
	synced := map[string]bool{}
	for _, id := range ids {
		folder, _ := d.place(id)
		if synced[folder] {
			continue
		}
		if err := syncDir(d.fs, folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		synced[folder] = true
	}
	return nil
}

// Each calls blob with the id of every finished blob, and stray with the name of every other file
// in the folders. It stops at the first error of either.
func (d *Dir) Each(blob func(id uint64) error, stray func(path string) error) error {
	return d.each(d.root(), blob, stray)
}

func (d *Dir) each(dir string, blob func(uint64) error, stray func(string) error) error {
	names, err := d.fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := d.fs.PathJoin(dir, name)
		if len(name) == 16 {
			id, err := strconv.ParseUint(name, 16, 64)
			if err == nil && d.Path(id) == path {
				err = blob(id)
			} else {
				err = stray(path)
			}
			if err != nil {
				return err
			}
			continue
		}
		info, err := d.fs.Stat(path)
		switch {
		case err != nil:
			return err
		case info.IsDir():
			err = d.each(path, blob, stray)
		default:
			err = stray(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// MakeDir makes dir and its missing parents, durably and for the owner alone. An existing folder
// may have been created by a process that was killed before it synced the parent.
func MakeDir(fsys vfs.FS, dir string) error {
	parent := fsys.PathDir(dir)
	switch _, err := fsys.Stat(dir); {
	case err == nil:
		if err := syncDir(fsys, parent); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil // the parent does not belong to the store
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if parent != dir {
		if err := MakeDir(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fsys, parent)
}
