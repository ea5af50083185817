package report

import (
	"hash/maphash"
	"maps"
	"slices"
)

// Bounds on the versions of one key that are compared: with each other within a
// shard, and with those at the end of the shard before. They bound the memory
// that a hostile report can cost.
const (
	maxVersions         = 1 << 20
	maxBoundaryVersions = 1 << 10
)

// seed keeps the author of a report from choosing versions whose hashes collide.
var seed = maphash.MakeSeed()

// repeats finds versions that appear twice among the rows of one key, which are
// adjacent. It keeps a hash of 64 bits of each version. The zero value is ready.
type repeats struct {
	group    versions
	started  int // groups so far
	head     []uint64
	overflow bool // some versions of a key were too many to compare
}

// versions are the versions of one key. The first has a field of its own, since
// most keys have only one.
type versions struct {
	first uint64
	n     int
	more  map[uint64]struct{}
}

// start begins the rows of the next key with the first of its versions.
func (r *repeats) start(version []byte) {
	if r.started == 1 {
		r.head = r.boundary()
	}
	r.started++
	if r.group.n > 1 {
		clear(r.group.more)
	}
	r.group.first, r.group.n = maphash.Bytes(seed, version), 1
}

// repeated adds another version of the key and reports whether it was added
// before.
func (r *repeats) repeated(version []byte) bool {
	g, h := &r.group, maphash.Bytes(seed, version)
	if h == g.first {
		return true
	}
	if _, ok := g.more[h]; ok {
		return true
	}
	if g.n >= maxVersions {
		r.overflow = true
		return false
	}
	if g.more == nil {
		g.more = make(map[uint64]struct{})
	}
	g.more[h] = struct{}{}
	g.n++
	return false
}

// boundary returns the sorted hashes of the versions of the current key; nil if
// there are too many to compare them with those of another shard.
func (r *repeats) boundary() []uint64 {
	if r.group.n > maxBoundaryVersions {
		return nil
	}
	return slices.Sorted(func(yield func(uint64) bool) {
		if !yield(r.group.first) {
			return
		}
		maps.Keys(r.group.more)(yield)
	})
}
