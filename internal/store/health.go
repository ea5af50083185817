package store

import "fmt"

// Health is the state of a store that an operator must know about.
type Health struct {
	DiskFull       error    // why writes are refused; nil: they are not
	DamagedReads   int64    // reads of objects that failed since the start because stored bytes are damaged
	DamagedIndexes []string // paths of files of the index in which damaged blocks were met since the start
}

// Health returns the state of the store.
func (s *Store) Health() Health {
	return Health{DiskFull: s.blobs.CheckSpace(0), DamagedReads: s.damage.blobs.Load(), DamagedIndexes: s.log.DamagedFiles()}
}

// Damage describes the known damage, for people; nil: none.
func (h *Health) Damage() error {
	switch {
	case len(h.DamagedIndexes) > 0:
		return fmt.Errorf("the index has damaged blocks in %d files, such as %s", len(h.DamagedIndexes), h.DamagedIndexes[0])
	case h.DamagedReads > 0:
		return fmt.Errorf("%d reads of objects failed because stored bytes are damaged", h.DamagedReads)
	}
	return nil
}
