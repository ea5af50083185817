package securefile

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Document is a small text of secrets that several processes read and change, and
// the state S that each of them makes of it. Set the fields and call Load; its methods
// may then be used by many goroutines.
//
// A change is in force when Update returns, as far as the storage promises: every later read by any
// process contains it. Current checks the storage at most once per [freshFor].
type Document[S any] struct {
	Storage Storage
	Also    []string // further files that Parse reads; this type only looks whether they changed

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

	reading    sync.Mutex
	seen       observation // that state was made of
	unreadable observation // that could not be read
	failure    error       // of reading it

	writing sync.Mutex // held before reading
}

// Load reads the document, changed or not. After an error the former state stays in force.
func (d *Document[S]) Load() error {
	d.reading.Lock()
	defer d.reading.Unlock()
	return d.load(d.look())
}

// Confirmed returns nil as long as Current is known to have all changes of others;
// see [Storage.Confirmed].
func (d *Document[S]) Confirmed() error { return d.Storage.Confirmed() }

// load reads the document whose state before the read was is; later changes are read again. The
// caller holds d.reading.
func (d *Document[S]) load(is observation) error {
	data, err := d.Storage.Read()
	if err != nil {
		return err
	}
	s, err := d.Parse(data)
	if err != nil {
		return err
	}
	before := d.state.Swap(s)
	d.seen, d.unreadable, d.failure = is, observation{}, nil
	if before != nil && d.Changed != nil {
		d.Changed(before, s)
	}
	return nil
}

// Update changes the document in one atomic step; see [Storage.Update]. A document that Parse refuses
// is not written.
func (d *Document[S]) Update(edit func(data []byte) ([]byte, error)) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	var made *S
	var also []stamp
	storage, err := d.Storage.Update(func(data []byte) ([]byte, error) {
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
	if d.seen.made && storage < d.seen.storage {
		return nil // Current has read what others have changed since
	}
	d.state.Store(made)
	d.seen, d.unreadable, d.failure = observation{storage: storage, also: also, made: true}, observation{}, nil
	return nil
}
