package securefile

import (
	"bytes"
	"sync"
)

// A Storage is where a [Document] is kept: a [File], a [Memory], or a row of a database that many
// machines share. Its methods may be called by many goroutines; storagetest tests this contract.
type Storage interface {
	// String returns the place, such as the path of a file, for people.
	String() string

	// Look returns a number that grows whenever the document may have changed. It
	// is called up to a thousand times a second and must not wait for other
	// machines.
	Look() int64

	// Read returns the document; nil if there is none yet. The caller may change the bytes. A
	// document that existed and is missing now is ErrGone.
	Read() ([]byte, error)

	// Update changes the document in one atomic step. edit gets a copy of the present document, nil
	// if there is none, and returns the new one; equal bytes change nothing. An error of edit is
	// returned and changes nothing. edit is called again if another process has changed the
	// document meanwhile.
	//
	// After nil the change is durable; seen is what Look returned for it. It is in force for the
	// processes of this machine, and within a second for those of others. After an error the
	// document is unchanged, unless the storage could not find out; it then has either the old or the
	// new value.
	Update(edit func(data []byte) ([]byte, error)) (seen int64, err error)

	// Confirmed returns nil while the storage knows that Look and Read are up to date. Otherwise it
	// returns the reason: changes of others, such as a revoked key, may be missing.
	Confirmed() error

	// Writer returns who changed the document last, for people; empty if unknown.
	Writer() string
}

// A Memory is a storage for one process. The zero value is empty and ready for use.
type Memory struct {
	mu      sync.Mutex
	data    []byte
	changes int64
}

var _ Storage = (*Memory)(nil)

// String implements [Storage].
func (*Memory) String() string { return "memory" }

// Look implements [Storage].
func (m *Memory) Look() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// Read implements [Storage].
func (m *Memory) Read() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.data), nil
}

// Update implements [Storage].
func (m *Memory) Update(edit func(data []byte) ([]byte, error)) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	after, err := edit(bytes.Clone(m.data))
	if err != nil {
		return m.changes, err
	}
	if !bytes.Equal(m.data, after) {
		m.data = bytes.Clone(after)
		m.changes++
	}
	return m.changes, nil
}

// Confirmed implements [Storage].
func (*Memory) Confirmed() error { return nil }

// Writer implements [Storage].
func (*Memory) Writer() string { return "" }
