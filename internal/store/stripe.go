package store

import (
	"hash/maphash"
	"math"
	"sync"

	"github.com/stocktake/stocktake/internal/store/layout"
)

// A stripe is the lock of keys: the changes of a key happen one after the other.
//
// It remembers up to where the last key whose newest version was removed is empty. The index keeps
// a removed row as a tombstone until it is compacted, and a search for the newest version steps
// over all of them: if the versions of a key are removed from the newest to the oldest, as clients
// that empty a bucket do, the searches would take time that grows with the square of their number.
type stripe struct {
	sync.Mutex

	bucket uint32
	key    string
	newest uint64 // the key has no version with a greater sequence number; 0: nothing is known
}

// stripe returns the stripe of a key.
func (s *Store) stripe(bucket uint32, key string) *stripe {
	h := maphash.String(s.seed, key) ^ uint64(bucket)*0x9e3779b97f4a7c15
	return &s.stripes[h%uint64(len(s.stripes))]
}

// bound returns a sequence number that no version of the key exceeds.
func (t *stripe) bound(bucket uint32, key string) uint64 {
	if t.newest == 0 || t.bucket != bucket || t.key != key {
		return math.MaxUint64
	}
	return t.newest
}

// note remembers what a change of the key has done.
func (t *stripe) note(c *change, key string) {
	switch {
	case c.added:
		if t.bucket == c.b.id && t.key == key {
			t.newest = 0
		}
	case c.top != 0:
		t.bucket, t.key, t.newest = c.b.id, key, c.top
	}
}

// exact does what the function does, for the key that is being changed.
func (c *change) exact(key, id string) (found *layout.Row, latest bool, err error) {
	return exactBelow(c.s.db, c.b.id, key, id, c.bound)
}
