package store

import (
	"sync"

	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// latestIf returns the flag of a change of the newest version of a key.
func latestIf(latest bool) layout.ChangeFlags {
	if latest {
		return layout.ChangeLatest
	}
	return 0
}

// entries are values of entries of a journal, in their order, without their places.
type entries struct {
	data []byte
	ends []int // of each of them in data
}

// entryPool has empty entries with allocated memory.
var entryPool = sync.Pool{New: func() any { return &entries{make([]byte, 0, 512), make([]int, 0, 2)} }}

// each yields the values.
func (e *entries) each(yield func(value []byte) bool) {
	start := 0
	for _, end := range e.ends {
		if !yield(e.data[start:end:end]) {
			return
		}
		start = end
	}
}

// free returns the entries to the pool, if there are any.
func (e *entries) free() {
	if e != nil {
		e.data, e.ends = e.data[:0], e.ends[:0]
		entryPool.Put(e)
	}
}

// reveal records that an older version of a key becomes the newest again, because the newer ones
// are removed. Reports of current versions need it. A revealed delete marker has no row.
func (c *change) reveal(key string, removed ...*layout.Row) error {
	if c.journal == nil || !c.versioned {
		return nil
	}
	return versionsBelow(c.s.db, c.b.id, key, c.bound, func(r *layout.Row, _ bool) bool {
		for _, gone := range removed {
			if gone.Seq == r.Seq {
				return true
			}
		}
		if !r.Info.IsDeleteMarker {
			c.record(journal.Create, layout.ChangeRevealed|layout.ChangeLatest, r)
		}
		return false
	})
}
