package blob

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strconv"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake/internal/object"
)

const (
	// writeBack is the number of bytes of a blob after which the system is asked to write them
	// back, so that the disk is busy while the rest arrives.
	writeBack = 4 << 20

	// dropBehind is the distance from the end of a growing blob, in bytes, at which its pages are
	// dropped from the page cache; by then the disk has had time to write them. The cache is more
	// useful for the tables of the index. Freed pages are reused for the next writes: on virtual
	// machines, writing to pages that the system has not used for a while costs several times as
	// much.
	dropBehind = 16 << 20

	// spaceCheckBytes is the number of bytes of a blob that are written between two checks of the free
	// space.
	spaceCheckBytes = 16 << 20
)

// A Writer writes one blob. Nothing is kept unless Finish returns nil. After an
// error of any method the caller calls Abort.
type Writer struct {
	dir   *Dir
	id    uint64
	file  vfs.File // nil once closed
	named bool     // it may have its final name
	sums  sums

	uncached bool  // the blob is not expected to be read soon
	size     int64 // bytes written
	dropped  int64 // of those, dropped from the system's cache
}

// Create starts the blob id. uncached says that the blob is not expected to be read soon.
func (d *Dir) Create(id uint64, uncached bool) (*Writer, error) {
	f, err := d.fs.Create(d.tmpPath(id), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, asDiskFull(err)
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{NoSyncOnClose: true, BytesPerSync: writeBack})
	return &Writer{dir: d, id: id, file: f, uncached: uncached && d.plain}, nil
}

// asDiskFull converts an error that means a full disk, or an exceeded quota, to object.ErrDiskFull. Other
// programs also fill the disk, so free space seen before a write may be gone.
func asDiskFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", object.ErrDiskFull, err)
	}
	return err
}

const maxFolders = 256 // remembered at once

// A folder exists durably.
type folder struct {
	path   string
	serial sync.Mutex // held during an fsync

	mu   sync.Mutex
	next *flight // the fsync that has not started
}

// A flight is one fsync that several callers wait for.
type flight struct {
	done chan struct{}
	err  error
}

func (d *Dir) tmp() string { return d.fs.PathJoin(d.dir, "tmp") }

func (d *Dir) root() string { return d.fs.PathJoin(d.dir, "blobs") }

func (d *Dir) tmpPath(id uint64) string {
	return d.fs.PathJoin(d.tmp(), strconv.FormatUint(id, 16))
}

// place returns the folder and the full name of a finished blob.
func (d *Dir) place(id uint64) (folder, path string) {
	folder = d.fs.PathJoin(d.root(), fmt.Sprintf("%010x", id>>24), fmt.Sprintf("%03x", id>>12&0xfff))
	return folder, d.fs.PathJoin(folder, fmt.Sprintf("%016x", id))
}

// folder makes path durable once and returns it.
func (d *Dir) folder(path string) (*folder, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.folders[path]; f != nil {
		return f, nil
	}
	if err := d.fs.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	for dir := path; dir != d.root(); {
		dir = d.fs.PathDir(dir)
		if err := syncDir(d.fs, dir); err != nil {
			return nil, err
		}
	}
	if len(d.folders) >= maxFolders {
		clear(d.folders)
	}
	f := &folder{path: path}
	d.folders[path] = f
	return f, nil
}

// sync returns after an fsync of f that began after the call. Concurrent callers share one.
func (f *folder) sync(fsys vfs.FS) error {
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
	fl.err = syncDir(fsys, f.path)
	f.serial.Unlock()
	close(fl.done)
	return fl.err
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Write adds p, which it does not change or keep. The error is
// object.ErrDiskFull if the disk is full or about to be.
func (w *Writer) Write(p []byte) (int, error) {
	if w.size/spaceCheckBytes != (w.size+int64(len(p)))/spaceCheckBytes {
		if err := w.dir.CheckSpace(0); err != nil {
			return 0, err
		}
	}
	if !w.dir.plain {
		p = bytes.Clone(p) // other implementations of vfs.File may change it
	}
	w.sums.write(p)
	n, err := w.file.Write(p)
	w.size += int64(n)
	if w.uncached && w.size-w.dropped >= 2*dropBehind {
		dropCache(w.file.Fd(), w.dropped, w.size-dropBehind)
		w.dropped = w.size - dropBehind
	}
	return n, asDiskFull(err)
}

// Sync ends writing: it adds the checksums and makes the bytes durable under the
// temporary name.
func (w *Writer) Sync() error {
	f := w.file
	w.file = nil
	_, err := f.Write(w.sums.end())
	if err == nil {
		err = f.Sync()
	}
	if w.uncached && err == nil && w.size > writeBack {
		dropCache(f.Fd(), 0, w.size)
	}
	return asDiskFull(errors.Join(err, f.Close()))
}

// Finish renames the synced blob to its final name, durably.
func (w *Writer) Finish() error {
	folder, path := w.dir.place(w.id)
	f, err := w.dir.folder(folder)
	if err != nil {
		return asDiskFull(err)
	}
	w.named = true
	if err := w.dir.fs.Rename(w.dir.tmpPath(w.id), path); err != nil {
		return asDiskFull(err)
	}
	return asDiskFull(f.sync(w.dir.fs))
}

// Abort removes the temporary file. A blob that is [Writer.Named] has to be
// removed with [Dir.Remove].
func (w *Writer) Abort() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	_ = w.dir.fs.Remove(w.dir.tmpPath(w.id)) // else it is removed when the store opens
}

// Named reports whether the blob may have its final name.
func (w *Writer) Named() bool { return w.named }

// Link makes blob id a durable hard link to the finished blob from. The Writer is finished and
// never nil.
func (d *Dir) Link(id, from uint64) (*Writer, error) {
	w := &Writer{dir: d, id: id}
	folder, path := d.place(id)
	f, err := d.folder(folder)
	if err != nil {
		return w, asDiskFull(err)
	}
	w.named = true
	if err := d.fs.Link(d.Path(from), path); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
			w.named = false
		}
		return w, asDiskFull(err)
	}
	return w, asDiskFull(f.sync(d.fs))
}

// minFree is the reserve of free space on the disk, in bytes: if the log of the index cannot be
// written, the process has to end.
const minFree = 128 << 20

// CheckSpace returns object.ErrDiskFull if n more bytes would fill the disk. It ignores concurrent
// writes. A disk of unknown size has room.
func (d *Dir) CheckSpace(n int64) error {
	if free, known := d.Free(); known && (free < 0 || free < n) {
		return fmt.Errorf("%w: the disk of %s has only the reserve of the store left", object.ErrDiskFull, d.dir)
	}
	return nil
}

// Free returns the number of bytes that can be written before only the reserve is left; it is
// negative if less is left. known is false if the free space is unknown.
func (d *Dir) Free() (n int64, known bool) {
	u, err := d.fs.GetDiskUsage(d.dir)
	if err != nil || u.TotalBytes == 0 {
		return 0, false
	}
	return int64(u.AvailBytes) - int64(min(minFree, u.TotalBytes/20)), true
}

// Disk returns the free bytes of the disk that this user may fill, and its size. Both are 0 if
// unknown.
func (d *Dir) Disk() (free, size int64, err error) {
	u, err := d.fs.GetDiskUsage(d.dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return 0, 0, nil
	}
	return int64(u.AvailBytes), int64(u.TotalBytes), err
}

// sums computes the checksums of a blob while it is written.
type sums struct {
	list  []byte // of the complete blocks
	crc   uint32 // of the block that is not complete
	fresh int    // bytes of it
}

func (s *sums) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), BlockSize-s.fresh)
		s.crc = crc32.Update(s.crc, castagnoli, p[:n])
		p = p[n:]
		if s.fresh += n; s.fresh == BlockSize {
			s.cut()
		}
	}
}

func (s *sums) cut() {
	s.list = binary.LittleEndian.AppendUint32(s.list, s.crc)
	s.crc, s.fresh = 0, 0
}

// end returns all checksums.
func (s *sums) end() []byte {
	if s.fresh > 0 {
		s.cut()
	}
	return s.list
}
