// Package dirbucket adapts a folder to a bucket: a destination of runs, and a place
// to read reports from. The object with key a/b is the file b in the folder a,
// so that any program can read it.
package dirbucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/stocktake/stocktake/internal/engine"
)

// ErrKey is returned for a key that cannot be the name of a file: one of its parts is empty,
// "." or "..", or it has a character that the system does not allow.
var ErrKey = errors.New("the key cannot be the name of a file")

// ErrLocked is returned if another process has locked a folder.
var ErrLocked = errors.New("another process writes to the folder")

// A Bucket is a folder as an [engine.Destination]. Its methods are safe for concurrent use,
// also by several processes. It cannot reach anything outside the folder, even through symbolic
// links.
type Bucket struct {
	base string
	dir  *dir
}

// dir is what the Buckets of one folder share.
type dir struct {
	root     *os.Root
	cleanup  sync.Once
	namesMu  sync.Mutex // held while a name must remain free
	lockFile *os.File   // the folder, if it is locked; else nil

	mu     sync.Mutex
	synced map[string]bool // folders that were synced
}

var _ engine.Destination = (*Bucket)(nil)

// Open opens a folder, which must exist. The caller closes the bucket.
func Open(name string) (*Bucket, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &Bucket{dir: &dir{root: root, synced: map[string]bool{".": true}}}, nil
}

// WithBase returns the folder as a bucket whose keys all start with base, which the names of
// files omit, as in a download of that part of a bucket. Closing b closes it.
func (b *Bucket) WithBase(base string) *Bucket { return &Bucket{base: base, dir: b.dir} }

// Lock keeps other processes from locking the folder until it is closed or the process ends. It
// does not keep them from writing to it. The error is ErrLocked if another process has locked
// it. It is called once, before the folder is used.
func (b *Bucket) Lock() error {
	f, err := b.dir.root.Open(".")
	if err != nil {
		return err
	}
	if err := lock(f); err != nil {
		return errors.Join(err, f.Close())
	}
	b.dir.lockFile = f
	return nil
}

// Close closes the folder. Open files stay open.
func (b *Bucket) Close() error {
	err := b.dir.root.Close()
	if b.dir.lockFile != nil {
		err = errors.Join(err, b.dir.lockFile.Close())
	}
	return err
}

// name returns the path of the file of a key.
func (b *Bucket) name(key string) (string, error) {
	rel, ok := strings.CutPrefix(key, b.base)
	if !ok {
		return "", fmt.Errorf("%.200q lies outside of the folder, which holds %q: %w", key, b.base, fs.ErrNotExist)
	}
	name, err := filepath.Localize(rel)
	if err != nil || rel == "." || strings.HasPrefix(rel, temporary) {
		return "", fmt.Errorf("%.200q: %w", key, ErrKey)
	}
	return name, nil
}

// Open implements [engine.Destination].
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	f, _, err := b.open(ctx, key)
	if err != nil {
		return nil, err // a nil *os.File would be a non-nil io.ReadCloser
	}
	return f, nil
}

// OpenRange implements [engine.Destination].
func (b *Bucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	f, size, err := b.open(ctx, key)
	if err != nil {
		return nil, err
	}
	if offset < 0 || offset >= size {
		return nil, errors.Join(fmt.Errorf("%s: byte %d of %d: %w", key, offset, size, io.ErrUnexpectedEOF), f.Close())
	}
	if length < 0 || length > size-offset {
		length = size - offset
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, length), f}, nil
}

// open opens a regular file. It refuses other files: a device has no end, and opening a named
// pipe would wait for its writer.
func (b *Bucket) open(ctx context.Context, key string) (f *os.File, size int64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	name, err := b.name(key)
	if errors.Is(err, ErrKey) {
		err = fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	}
	if err != nil {
		return nil, 0, err
	}
	f, err = b.dir.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if cannotExist(err) {
		return nil, 0, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	switch {
	case err != nil:
	case st.IsDir():
		err = fmt.Errorf("%s is a folder: %w", key, fs.ErrNotExist)
	case !st.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", key)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, st.Size(), nil
}

// cannotExist reports whether err means that a file cannot exist: a parent folder of its path
// is a file, or a part of its key is too long.
func cannotExist(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// List implements [engine.Destination]. It yields the files that existed when it began.
// Symbolic links do not count as files.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		keys, err := b.keys(ctx, prefix)
		if err != nil {
			yield("", err)
			return
		}
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (b *Bucket) keys(ctx context.Context, prefix string) (keys []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rel, ok := strings.CutPrefix(prefix, b.base)
	if !ok {
		if rel = ""; !strings.HasPrefix(b.base, prefix) {
			return nil, nil
		}
	}
	start := path.Dir(rel + "x")
	if !fs.ValidPath(start) {
		return nil, nil // such keys cannot be
	}
	err = fs.WalkDir(b.dir.root.FS(), start, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // it never existed, or was removed meanwhile
			return ctx.Err()
		case err != nil:
			return err
		case d.IsDir():
			if below := name + "/"; name != "." && !strings.HasPrefix(below, rel) && !strings.HasPrefix(rel, below) {
				return fs.SkipDir
			}
		case d.Type().IsRegular() && strings.HasPrefix(name, rel) && !strings.HasPrefix(name, temporary):
			keys = append(keys, b.base+name)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(keys) // the walk is ordered by folder, the listing by bytes
	return keys, nil
}

// FreeSpace implements [engine.Destination]. It returns the free space of the file system for
// this user.
func (b *Bucket) FreeSpace(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return freeSpace(b.dir.root.Name())
}

// Remove implements [engine.Destination]. It also removes folders that become empty.
func (b *Bucket) Remove(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, err := b.name(key)
	if err != nil {
		return nil // there is no such file
	}
	st, err := b.dir.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || cannotExist(err) || err == nil && st.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	if err := b.dir.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for parent := filepath.Dir(name); parent != "."; parent = filepath.Dir(parent) {
		b.dir.forgetSynced(parent)
		if b.dir.root.Remove(parent) != nil {
			break // it is not empty or may not be removed, which does no harm
		}
	}
	return nil
}
