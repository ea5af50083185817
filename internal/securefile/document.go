package securefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Document is a small file that several processes read and change, and the
// state S that each of them makes of it. Set the fields and call Load; its methods
// may then be used by many goroutines.
//
// A change is in force for all of these processes when Update returns: what any
// of them reads afterwards contains it. Between two looks at the file Current
// trusts its state for [freshFor], and Update returns only after that time.
type Document[S any] struct {
	Path string   // empty: kept in memory, for this process alone
	Also []string // further files that Parse reads; this type only looks whether they changed
	Max  int64    // bytes of the file, at most

	// Parse makes the state from the file's bytes, nil if there is no file. It must
	// not keep or change them.
	Parse func(data []byte) (*S, error)

	// Failed is called once for a change by others that cannot be read, and for a
	// file that is gone. What was read before stays in force.
	Failed func(error)

	// Changed is called with the state before and after others changed the files;
	// nil means nothing. It must not use the document.
	Changed func(before, after *S)

	// Replace is what Update writes with; nil means [Replace]. Tests fail it.
	Replace func(path string, data []byte) error

	state   atomic.Pointer[S]
	checked atomic.Pointer[time.Time] // when the files last were what state was made of

	reading sync.Mutex
	seen    []stamp     // of the files that state was made of
	had     atomic.Bool // there was a file once
	failed  []stamp     // of those that could not be read

	memory []byte // the document, where Path is empty

	writing sync.Mutex // held before reading
}

// ErrGone is a document whose file was there and is not any more. What was read
// of it stays in force: a document is never removed on purpose.
var ErrGone = errors.New("the file is gone: put it back from a backup")

// freshFor is how long Current trusts what it saw, so that thousands of decisions
// a second look at the file a thousand times at most.
const freshFor = time.Millisecond

// A stamp tells a file from what it was before.
type stamp struct {
	modified time.Time
	size     int64
	info     fs.FileInfo // nil: there is none
}

func (s stamp) same(t stamp) bool {
	return s.size == t.size && s.modified.Equal(t.modified) &&
		(s.info == nil) == (t.info == nil) && (s.info == nil || os.SameFile(s.info, t.info))
}

// Load reads the file, changed or not. After an error what was read before stays
// in force.
func (d *Document[S]) Load() error {
	d.reading.Lock()
	defer d.reading.Unlock()
	return d.load(d.look())
}

// Current returns the state, read again if a file has changed.
func (d *Document[S]) Current() *S {
	if at := d.checked.Load(); at != nil && time.Since(*at) < freshFor {
		return d.state.Load()
	}
	d.reading.Lock()
	defer d.reading.Unlock()
	now := time.Now()
	stamps := d.look()
	if !slices.EqualFunc(stamps, d.seen, stamp.same) && !slices.EqualFunc(stamps, d.failed, stamp.same) {
		if err := d.load(stamps); err != nil {
			d.failed = stamps
			d.Failed(err)
		}
	}
	d.checked.Store(&now)
	return d.state.Load()
}

// load makes the state of the files, which looked like stamps before they are
// read: what changes meanwhile is read again. The caller holds d.reading.
func (d *Document[S]) load(stamps []stamp) error {
	data, err := d.read()
	if err != nil {
		return err
	}
	s, err := d.Parse(data)
	if err != nil {
		return err
	}
	before := d.state.Load()
	d.use(s, stamps)
	if before != nil && d.Changed != nil {
		d.Changed(before, s)
	}
	return nil
}

func (d *Document[S]) use(s *S, stamps []stamp) {
	d.state.Store(s)
	d.seen, d.failed = stamps, nil
}

// look returns what the files look like.
func (d *Document[S]) look() []stamp {
	stamps := make([]stamp, 0, 2)
	for _, path := range append([]string{d.Path}, d.Also...) {
		if path == "" {
			continue
		}
		var s stamp
		if info, err := os.Stat(path); err == nil {
			s = stamp{info.ModTime(), info.Size(), info}
		}
		stamps = append(stamps, s)
	}
	return stamps
}

func (d *Document[S]) read() ([]byte, error) {
	if d.Path == "" {
		return d.memory, nil
	}
	data, err := Read(d.Path, d.Max)
	if errors.Is(err, fs.ErrNotExist) {
		if d.had.Load() {
			return nil, fmt.Errorf("%w: %s", ErrGone, d.Path)
		}
		return nil, nil
	}
	if err == nil {
		d.had.Store(true)
	}
	return data, err
}

// Update changes the file in one atomic step and returns when the change is
// durable and in force for all processes. edit gets the bytes of the file as they
// are now, nil if there is none, and returns the new ones; the same bytes change
// nothing. Its error is returned and changes nothing. While it runs it is the only
// one that changes the file.
func (d *Document[S]) Update(edit func(data []byte) ([]byte, error)) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	changed, err := d.update(edit)
	if changed && d.Path != "" {
		time.Sleep(2 * freshFor) // other processes trust what they saw before for this long
	}
	return err
}

func (d *Document[S]) update(edit func(data []byte) ([]byte, error)) (changed bool, err error) {
	if d.Path != "" {
		unlock, lockErr := Lock(d.Path)
		if lockErr != nil {
			return false, lockErr
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	before, err := d.read()
	if err != nil {
		return false, err
	}
	after, err := edit(bytes.Clone(before))
	if err != nil {
		return false, err
	}
	s, err := d.Parse(after)
	if err != nil {
		return false, err
	}
	if changed = !bytes.Equal(before, after); changed {
		if err := d.write(after); err != nil {
			return true, err
		}
		d.had.Store(true)
	}
	d.reading.Lock()
	defer d.reading.Unlock()
	if d.Path == "" {
		d.memory = after
	}
	d.use(s, d.look())
	return changed, nil
}

func (d *Document[S]) write(data []byte) error {
	switch {
	case d.Path == "":
		return nil
	case d.Replace != nil:
		return d.Replace(d.Path, data)
	}
	return Replace(d.Path, data)
}
