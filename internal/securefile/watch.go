package securefile

import (
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Recheck is how often a [Watch] looks at its files.
const Recheck = time.Second

// A Watch tells when files that were read have been changed by others. All of
// its methods but Due are for one goroutine at a time.
type Watch struct {
	paths  []string
	born   time.Time
	looked atomic.Int64 // nanoseconds since born
	seen   []stamp
	failed []stamp
}

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

// Stamps are what files looked like at one moment.
type Stamps struct{ of []stamp }

// NewWatch watches the paths that are not empty.
func NewWatch(paths ...string) *Watch {
	w := &Watch{born: time.Now()}
	for _, p := range paths {
		if p != "" {
			w.paths = append(w.paths, p)
		}
	}
	return w
}

// Due reports, to one caller, that [Recheck] has passed since it last did. It
// is cheap enough for every request.
func (w *Watch) Due() bool {
	if len(w.paths) == 0 {
		return false
	}
	last, now := w.looked.Load(), int64(time.Since(w.born))
	return now-last >= int64(Recheck) && w.looked.CompareAndSwap(last, now)
}

// LookNow makes w due at once.
func (w *Watch) LookNow() { w.looked.Store(-int64(Recheck)) }

// Stat looks at the files.
func (w *Watch) Stat() Stamps {
	s := make([]stamp, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			s[i] = stamp{info.ModTime(), info.Size(), info}
		}
	}
	return Stamps{s}
}

// Changed reports whether a file is neither as it was when it was last read
// nor as it was when that failed.
func (w *Watch) Changed(now Stamps) bool {
	return !slices.EqualFunc(now.of, w.seen, stamp.same) && !slices.EqualFunc(now.of, w.failed, stamp.same)
}

// Read notes that the files were read as they were at s, a Stat from before.
func (w *Watch) Read(s Stamps) { w.seen, w.failed = s.of, nil }

// Failed notes that they could not be read.
func (w *Watch) Failed(s Stamps) { w.failed = s.of }
