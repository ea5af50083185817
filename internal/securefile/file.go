package securefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

// ErrGone reports a document that existed and is missing now. Its former state stays in force,
// since documents are never removed on purpose.
var ErrGone = errors.New("it is gone: restore it from a backup")

// A File is a storage that processes of one machine share: a file that is replaced as a whole under a
// lock.
type File struct {
	path string
	max  int64

	// Replace is what Update writes with; nil means [Replace]. Tests fail it.
	Replace func(path string, data []byte) error

	existed atomic.Bool // there was a file once

	mu      sync.Mutex
	last    stamp
	changes int64 // of the file, as Look has found them
}

var _ Storage = (*File)(nil)

// NewFile returns the storage of the file path, which may have max bytes. The file is
// made with the first change.
func NewFile(path string, max int64) *File { return &File{path: path, max: max} }

// String implements [Storage].
func (f *File) String() string { return f.path }

// Read implements [Storage].
func (f *File) Read() ([]byte, error) {
	data, err := Read(f.path, f.max)
	if errors.Is(err, fs.ErrNotExist) {
		if f.existed.Load() {
			return nil, fmt.Errorf("%s: %w", f.path, ErrGone)
		}
		return nil, nil
	}
	if err == nil {
		f.existed.Store(true)
	}
	return data, err
}

// Update implements [Storage].
func (f *File) Update(edit func(data []byte) ([]byte, error)) (seen int64, err error) {
	changed := false
	defer func() {
		if changed {
			time.Sleep(2 * freshFor) // other processes trust what they saw before for this long
		}
	}()
	unlock, err := Lock(f.path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := removeUnfinished(f.path); err != nil {
		return 0, err
	}
	before, err := f.Read()
	if err != nil {
		return 0, err
	}
	after, err := edit(bytes.Clone(before))
	if err != nil {
		return 0, err
	}
	if changed = !bytes.Equal(before, after); changed {
		if err := f.write(after); err != nil {
			return 0, err
		}
		f.existed.Store(true)
	}
	return f.Look(), nil // under the lock: what others write later is a change
}

func (f *File) write(data []byte) error {
	if f.Replace != nil {
		return f.Replace(f.path, data)
	}
	return Replace(f.path, data)
}

// Confirmed implements [Storage]: a file is there or an error.
func (*File) Confirmed() error { return nil }

// Writer implements [Storage]: the user of this machine who owns the file. Replace makes
// files of the user who runs the process.
func (f *File) Writer() string { return LastWriter(f.path) }
