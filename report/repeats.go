package report

import (
	"hash/maphash"
	"maps"
	"slices"
)

// How many versions of one key are compared with each other within a shard, and
// with those at the end of the shard before. Memory must not grow with what a
// stranger wrote.
const (
	maxVersions         = 1 << 20
	maxBoundaryVersions = 1 << 10
)

// seed makes the hashes of versions ones that nobody can aim at.
var seed = maphash.MakeSeed()

// repeats finds versions that come twice among the rows of one key, which lie
// together. Versions are kept as hashes of 64 bits. The zero value is ready.
type repeats struct {
	group    versions
	started  int // groups so far
	head     []uint64
	overflow bool // some versions of a key were too many to compare
}

// versions are those of one key: the first by itself, as most have no other.
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

// repeated adds another version of the key and reports whether it was there.
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

// boundary returns the versions of the key at hand, sorted; nil if they are too
// many to be compared with another shard's.
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
