package store

import (
	"bytes"
	"context"
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

// blobs keeps the bytes of versions that are too large for the index, one file
// each. A blob is written under a temporary name, synced, and then renamed to a
// name made of its id: an id is used once, so a finished file never changes but
// for appends to its end.
//
//	tmp/<id>                              being written; removed when the store opens
//	blobs/<id / 2^24>/<id / 2^12>/<id>    finished; each in hex, the first two without what the next repeats
//
// Ids ascend, so what is written at the same time lies in the same folder and
// shares that folder's fsync.
type blobs struct {
	fs    vfs.FS
	dir   string
	plain bool // fs is the operating system's: files may be handed out as *os.File

	mu      sync.Mutex
	folders map[string]*folder // ready for use; forgotten now and then
}

const maxFolders = 256 // remembered at once

// A folder is one that exists, durably.
type folder struct {
	path   string
	serial sync.Mutex // held during an fsync

	mu   sync.Mutex
	next *flight // the fsync that has not begun
}

// flight is one fsync that several wait for.
type flight struct {
	done chan struct{}
	err  error
}

func openBlobs(fsys vfs.FS, dir string, plain bool) (*blobs, error) {
	b := &blobs{fs: fsys, dir: dir, plain: plain, folders: map[string]*folder{}}
	for _, d := range []string{b.tmp(), b.root()} {
		if err := makeDir(fsys, d); err != nil {
			return nil, err
		}
		if info, err := os.Lstat(d); plain && err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%s is a symbolic link", d) // files elsewhere would be removed
		}
	}
	names, err := fsys.List(b.tmp())
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := fsys.Remove(fsys.PathJoin(b.tmp(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return b, nil
}

func (b *blobs) tmp() string  { return b.fs.PathJoin(b.dir, "tmp") }
func (b *blobs) root() string { return b.fs.PathJoin(b.dir, "blobs") }

func (b *blobs) tmpPath(id uint64) string {
	return b.fs.PathJoin(b.tmp(), strconv.FormatUint(id, 16))
}

// place is the folder and the full name of a finished blob.
func (b *blobs) place(id uint64) (folder, path string) {
	folder = b.fs.PathJoin(b.root(), fmt.Sprintf("%010x", id>>24), fmt.Sprintf("%03x", id>>12&0xfff))
	return folder, b.fs.PathJoin(folder, fmt.Sprintf("%016x", id))
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDir makes dir and what is missing above it, durably. A folder that is
// there already may have been made by a process that was killed before it could
// sync the one above.
func makeDir(fsys vfs.FS, dir string) error {
	parent := fsys.PathDir(dir)
	switch _, err := fsys.Stat(dir); {
	case err == nil:
		if err := syncDir(fsys, parent); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil // whoever made it for us saw to that
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if parent != dir {
		if err := makeDir(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fsys, parent)
}

// folder makes path durable once and returns it.
func (b *blobs) folder(path string) (*folder, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.folders[path]; f != nil {
		return f, nil
	}
	if err := b.fs.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	for dir := path; dir != b.root(); {
		dir = b.fs.PathDir(dir)
		if err := syncDir(b.fs, dir); err != nil {
			return nil, err
		}
	}
	if len(b.folders) >= maxFolders {
		clear(b.folders)
	}
	f := &folder{path: path}
	b.folders[path] = f
	return f, nil
}

// sync returns after an fsync of f that began after the call. Callers at the
// same time share one.
func (f *folder) sync(b *blobs) error {
	f.mu.Lock()
	if fl := f.next; fl != nil {
		f.mu.Unlock()
		<-fl.done
		return fl.err
	}
	fl := &flight{done: make(chan struct{})}
	f.next = fl
	f.mu.Unlock()

	f.serial.Lock()
	f.mu.Lock()
	f.next = nil
	f.mu.Unlock()
	fl.err = syncDir(b.fs, f.path)
	f.serial.Unlock()
	close(fl.done)
	return fl.err
}

// writeBack is how many bytes of a blob are written before the disk is told to
// begin with them, so that it is busy while the rest comes in.
const writeBack = 4 << 20

// A blobWriter writes one blob. Nothing is kept unless finish returns nil.
type blobWriter struct {
	blobs *blobs
	id    uint64
	file  vfs.File // nil once closed
	named bool     // it may have its final name

	once    bool  // nobody is expected to read it soon
	size    int64 // written
	dropped int64 // of that, what the system's cache was told to forget
}

// dropBehind is how far behind its end a blob that is written once and not read
// soon leaves the system's cache, in bytes; by then the disk has had time to
// take it. The cache has better uses, the tables of the index above all, and
// pages that come free are taken again for what is written next: pages that the
// system has not used for a while cost several times as much to write to, if it
// is a virtual machine.
const dropBehind = 16 << 20

// create begins blob id; once says that nobody is expected to read it soon.
func (b *blobs) create(id uint64, once bool) (*blobWriter, error) {
	f, err := b.fs.Create(b.tmpPath(id), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{NoSyncOnClose: true, BytesPerSync: writeBack})
	return &blobWriter{blobs: b, id: id, file: f, once: once && b.plain}, nil
}

func (w *blobWriter) Write(p []byte) (int, error) {
	if !w.blobs.plain {
		// A vfs.File may change what it is given, and p is being hashed.
		p = bytes.Clone(p)
	}
	n, err := w.file.Write(p)
	w.size += int64(n)
	if w.once && w.size-w.dropped >= 2*dropBehind {
		dropCache(w.file.Fd(), w.dropped, w.size-dropBehind)
		w.dropped = w.size - dropBehind
	}
	return n, err
}

// sync makes the bytes durable under the temporary name.
func (w *blobWriter) sync() error {
	f := w.file
	w.file = nil
	err := f.Sync()
	if w.once && err == nil && w.size > writeBack {
		dropCache(f.Fd(), 0, w.size)
	}
	return errors.Join(err, f.Close())
}

// finish gives the synced blob its name, durably.
func (w *blobWriter) finish() error {
	folder, path := w.blobs.place(w.id)
	f, err := w.blobs.folder(folder)
	if err != nil {
		return err
	}
	w.named = true
	if err := w.blobs.fs.Rename(w.blobs.tmpPath(w.id), path); err != nil {
		return err
	}
	return f.sync(w.blobs)
}

// abort removes what has no name yet. What has one is to be reaped.
func (w *blobWriter) abort() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	_ = w.blobs.fs.Remove(w.blobs.tmpPath(w.id)) // else it is removed when the store opens
}

// remove removes a finished blob; one that is missing is no error.
func (b *blobs) remove(id uint64) error {
	_, path := b.place(id)
	if err := b.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// blobFile is an open blob.
type blobFile interface {
	io.ReaderAt
	io.Closer
}

// open opens a finished blob; the error is fs.ErrNotExist if it is gone.
func (b *blobs) open(id uint64) (blobFile, error) {
	_, path := b.place(id)
	if b.plain {
		return os.Open(filepath.Clean(path))
	}
	return b.fs.Open(path)
}

// ctxReader ends with the context's error soon after the context has ended.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
