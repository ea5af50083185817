package securefile

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Document is a small text of secrets that several processes read and change, and
// the state S that each of them makes of it. Set the fields and call Load; its methods
// may then be used by many goroutines.
//
// A change is in force when Update returns, as far as the room promises: every later read by any
// process contains it. Current checks the room at most once per [freshFor].
type Document[S any] struct {
	Room Room
	Also []string // further files that Parse reads; this type only looks whether they changed

	// Parse makes the state from the document's bytes, nil if there is none. It must
	// not keep or change them.
	Parse func(data []byte) (*S, error)

	// Failed is called once for a change by others that cannot be read, and for a missing document.
	// The former state stays in force.
	Failed func(error)

	// Changed is called with the state before and after others changed the document;
	// nil means nothing. It must not use the document.
	Changed func(before, after *S)

	state   atomic.Pointer[S]
	checked atomic.Pointer[time.Time] // when all was as it is in seen, the last time

	reading sync.Mutex
	seen    sight // that state was made of
	failed  sight // that could not be read
	why     error // it could not

	writing sync.Mutex // held before reading
}

// freshFor is how long Current trusts its last check, so that the room is checked at most a
// thousand times a second.
const freshFor = time.Millisecond

// A sight is the observed state of a document and its further files.
type sight struct {
	room int64 // of Room.Look
	also []stamp
	any  bool // false: nothing was looked at yet
}

func (s sight) same(t sight) bool {
	return s.any && t.any && s.room == t.room && slices.EqualFunc(s.also, t.also, stamp.same)
}

// look returns the present state of the document and its files.
func (d *Document[S]) look() sight {
	return sight{room: d.Room.Look(), also: d.lookAlso(), any: true}
}

func (d *Document[S]) lookAlso() (list []stamp) {
	for _, path := range d.Also {
		list = append(list, look(path))
	}
	return list
}

// Load reads the document, changed or not. After an error the former state stays in force.
func (d *Document[S]) Load() error {
	d.reading.Lock()
	defer d.reading.Unlock()
	return d.load(d.look())
}

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
		d.failed, d.why = sight{}, nil
	case is.same(d.failed):
	default:
		if d.why = d.load(is); d.why != nil {
			d.failed = is
			d.Failed(d.why)
		}
	}
	d.checked.Store(&now)
	return d.why
}

// Confirmed returns nil as long as Current is known to have all changes of others;
// see [Room.Confirmed].
func (d *Document[S]) Confirmed() error { return d.Room.Confirmed() }

// load reads the document whose state before the read was is; later changes are read again. The
// caller holds d.reading.
func (d *Document[S]) load(is sight) error {
	data, err := d.Room.Read()
	if err != nil {
		return err
	}
	s, err := d.Parse(data)
	if err != nil {
		return err
	}
	before := d.state.Swap(s)
	d.seen, d.failed, d.why = is, sight{}, nil
	if before != nil && d.Changed != nil {
		d.Changed(before, s)
	}
	return nil
}

// Update changes the document in one atomic step; see [Room.Update]. A document that Parse refuses
// is not written.
func (d *Document[S]) Update(edit func(data []byte) ([]byte, error)) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	var made *S
	var also []stamp
	room, err := d.Room.Update(func(data []byte) ([]byte, error) {
		after, err := edit(data)
		if err != nil {
			return nil, err
		}
		also = d.lookAlso() // before Parse reads them
		made, err = d.Parse(after)
		return after, err
	})
	if err != nil {
		return err
	}
	d.reading.Lock()
	defer d.reading.Unlock()
	if d.seen.any && room < d.seen.room {
		return nil // Current has read what others have changed since
	}
	d.state.Store(made)
	d.seen, d.failed, d.why = sight{room: room, also: also, any: true}, sight{}, nil
	return nil
}
