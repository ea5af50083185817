package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake/internal/object"
)

// ballast is a file that reserves space: it is removed when the index finds the disk full, so that
// objects can be deleted and the store can be closed, and created again when there is room.
type ballast struct {
	fs   vfs.FS
	dir  string
	path string
	log  *slog.Logger

	create func(path string) (syncedFile, error)

	copying atomic.Bool // the index is being copied, perhaps to another disk

	held atomic.Bool // the file exists; changed with mu held
	mu   sync.Mutex
	next time.Time
}

const (
	// maxBallast is the size of the ballast, in bytes, unless a twentieth of the
	// disk is less.
	maxBallast = 64 << 20

	// ballastRetry is how long after a failure to make the ballast it is tried
	// again.
	ballastRetry = 10 * time.Second

	// minLog is the space that a start or a delete needs without a ballast, in bytes. With less,
	// the log of the index may fail, which ends the process.
	minLog = 1 << 20

	// fullPause delays flushes of the index while the disk is full and the ballast
	// is gone. Pebble would retry them at once.
	fullPause = 200 * time.Millisecond
)

// newBallast finds or makes the ballast of a store, unless the disk is so full
// that the index needs its space to open.
func newBallast(fsys vfs.FS, dir string, log *slog.Logger) *ballast {
	b := findBallast(fsys, dir, log)
	b.hold()
	return b
}

// findBallast finds the ballast of a store, and removes it if the disk is full.
func findBallast(fsys vfs.FS, dir string, log *slog.Logger) *ballast {
	b := &ballast{fs: fsys, dir: dir, path: fsys.PathJoin(dir, "ballast"), log: log, create: createPrivate}
	if _, err := fsys.Stat(b.path); err == nil {
		b.held.Store(true)
	}
	if avail, total, ok := b.usage(); ok && b.held.Load() && avail < ballastSize(total)/2 {
		b.release()
	}
	return b
}

// MakeRoom removes the ballast of the store in dir if the disk is full. The error is
// object.ErrDiskFull if there still is too little room to open what the folder holds. A server
// calls it first, since on a full disk an intact database cannot be opened. A folder that does not
// exist is not an error.
func MakeRoom(dir string, log *slog.Logger) error {
	return findBallast(vfs.Default, dir, log).roomToOpen()
}

// roomToOpen returns an error that is object.ErrDiskFull if there is too little room to open the
// index. Pebble would retry forever to write the contents of its log.
func (b *ballast) roomToOpen() error {
	if avail, _, ok := b.usage(); ok && avail < minLog {
		return fmt.Errorf("%w: the disk of %s has %d bytes left: free at least %d and start again", object.ErrDiskFull, b.dir, avail, minLog)
	}
	return nil
}

func ballastSize(total uint64) uint64 { return min(maxBallast, total/20) }

func (b *ballast) usage() (avail, total uint64, ok bool) {
	u, err := b.fs.GetDiskUsage(b.dir)
	return u.AvailBytes, u.TotalBytes, err == nil && u.TotalBytes > 0
}

// release frees the space. It is called each time the index finds a disk full. While the index is
// copied, that may be the disk of the copy.
func (b *ballast) release() {
	if avail, _, ok := b.usage(); b.copying.Load() && ok && avail >= minLog {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.held.Load() {
		time.Sleep(fullPause)
		return
	}
	b.held.Store(false)
	b.next = time.Now().Add(ballastRetry)
	if err := b.fs.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.log.Error("store: cannot remove the ballast", "file", b.path, "err", err)
		return
	}
	b.log.Error("store: the disk is full; removed the ballast so that objects can be deleted", "folder", b.dir)
}

// hold makes the ballast if it does not exist and there is room for it twice.
func (b *ballast) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held.Load() || time.Now().Before(b.next) {
		return
	}
	b.next = time.Now().Add(ballastRetry)
	avail, total, ok := b.usage()
	size := ballastSize(total)
	if !ok || avail < 2*size {
		return
	}
	if err := b.make(int64(size)); err != nil {
		b.log.Warn("store: cannot reserve the ballast; a full disk may prevent deletes", "file", b.path, "err", err)
		_ = b.fs.Remove(b.path)
		return
	}
	b.held.Store(true)
}

type syncedFile interface {
	io.WriteCloser
	Sync() error
}

// createPrivate creates a file that only its owner may read, which a vfs.FS does not.
func createPrivate(path string) (syncedFile, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func (b *ballast) make(size int64) error {
	f, err := b.create(b.path)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for left := size; left > 0 && err == nil; left -= int64(len(zeros)) {
		_, err = f.Write(zeros[:min(left, int64(len(zeros)))])
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// mayDelete returns object.ErrDiskFull if there is no room even for a delete.
func (s *Store) mayDelete() error {
	if s.ballast == nil || s.ballast.held.Load() {
		return nil
	}
	if avail, _, ok := s.ballast.usage(); ok && avail < minLog {
		return fmt.Errorf("%w: the disk of %s has %d bytes left, too few to delete", object.ErrDiskFull, s.ballast.dir, avail)
	}
	return nil
}
