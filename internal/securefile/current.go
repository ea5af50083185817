package securefile

import (
	"io/fs"
	"os"
	"slices"
	"time"
)

// freshFor is how long Current trusts its last check, so that the storage is checked at most a
// thousand times a second.
const freshFor = time.Millisecond

// Current returns the state, read again if the document has changed.
func (d *Document[S]) Current() *S {
	if at := d.checked.Load(); at != nil && time.Since(*at) < freshFor {
		return d.state.Load()
	}
	_ = d.Refresh() // Failed has been called
	return d.state.Load()
}

// Refresh reads the document again if it has changed, as Current does, and returns an error if the
// present document cannot be read.
func (d *Document[S]) Refresh() error {
	d.reading.Lock()
	defer d.reading.Unlock()
	now := time.Now()
	is := d.look()
	switch {
	case is.same(d.seen):
		d.unreadable, d.failure = observation{}, nil
	case is.same(d.unreadable):
	default:
		if d.failure = d.load(is); d.failure != nil {
			d.unreadable = is
			d.Failed(d.failure)
		}
	}
	d.checked.Store(&now)
	return d.failure
}

// An observation is the observed state of a document and its further files.
type observation struct {
	storage int64 // of Storage.Look
	also    []stamp
	made    bool // false: this is the zero value
}

// same reports whether nothing has changed between two observations.
func (s observation) same(t observation) bool {
	return s.made && t.made && s.storage == t.storage && slices.EqualFunc(s.also, t.also, stamp.same)
}

// look returns the present state of the document and its files.
func (d *Document[S]) look() observation {
	return observation{storage: d.Storage.Look(), also: d.lookAlso(), made: true}
}

// lookAlso returns the present state of the further files.
func (d *Document[S]) lookAlso() (list []stamp) {
	for _, path := range d.Also {
		list = append(list, look(path))
	}
	return list
}

// Look implements [Storage].
func (f *File) Look() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := look(f.path); !now.same(f.last) {
		f.last = now
		f.changes++
	}
	return f.changes
}

// A stamp distinguishes versions of a file.
type stamp struct {
	modified time.Time
	size     int64
	info     fs.FileInfo // nil: there is none
}

func (s stamp) same(t stamp) bool {
	return s.size == t.size && s.modified.Equal(t.modified) &&
		(s.info == nil) == (t.info == nil) && (s.info == nil || os.SameFile(s.info, t.info))
}

// look returns the present version of a file.
func look(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size(), info}
}
