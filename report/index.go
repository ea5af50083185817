package report

import (
	"github.com/stocktake/stocktake"
)

// The index of a shard is bounded, so that the summary of a report of ten
// thousand shards stays below some tens of megabytes however long the keys are.
const (
	maxIndexEntries = 32
	maxIndexKeys    = 4 << 10 // bytes of their keys, percent-encoded
)

// An index collects where the pieces of a shard begin. When it becomes too large, every second
// entry is dropped, and later entries have the same distance as the remaining ones. The zero value
// is ready.
type index struct {
	places []stocktake.SummaryPiece
	keys   int // bytes of the keys in places
	every  int // one of this many pieces is in places
	seen   int // pieces so far
}

func (x *index) reset() { *x = index{places: x.places[:0], every: 1} }

// add notes that a piece begins after so many rows and stored bytes of the
// shard, with the key given.
func (x *index) add(row, offset int64, key []byte) {
	n := x.seen
	x.seen++
	if n%x.every != 0 {
		return
	}
	encoded := string(AppendKey(nil, key))
	x.places = append(x.places, stocktake.SummaryPiece{Row: row, Offset: offset, FirstKey: encoded})
	x.keys += len(encoded)
	for len(x.places) > maxIndexEntries || x.keys > maxIndexKeys && len(x.places) > 1 {
		x.thin()
	}
}

// thin drops every second entry.
func (x *index) thin() {
	x.every *= 2
	x.keys = 0
	kept := x.places[:0]
	for i, p := range x.places {
		if i%2 == 0 {
			kept = append(kept, p)
			x.keys += len(p.FirstKey)
		}
	}
	clear(x.places[len(kept):])
	x.places = kept
}

// entries returns the index; nil if the shard has only one piece, whose place
// and first key are known anyway.
func (x *index) entries() []stocktake.SummaryPiece {
	if len(x.places) < 2 {
		return nil
	}
	return append([]stocktake.SummaryPiece(nil), x.places...)
}
