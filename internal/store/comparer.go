package store

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
)

// comparer orders index keys by their bytes. Unlike the default it tells Pebble
// that the versions of an object share a prefix, so that filters are made and
// asked by object.
var comparer = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "stocktake.index.v1"
	c.Split = split
	// Shortened keys must not be cut inside a key head, or they would split
	// elsewhere than the keys they stand for; whole keys are always right.
	c.Separator = func(dst, a, _ []byte) []byte { return append(dst, a...) }
	c.Successor = func(dst, a []byte) []byte { return append(dst, a...) }
	c.ImmediateSuccessor = func(dst, prefix []byte) []byte {
		if n := len(prefix); n > bucketHeadLen && prefix[0] == spaceVersions && bytes.HasSuffix(prefix, []byte{0, 1}) {
			return append(append(dst, prefix[:n-1]...), 2)
		}
		return append(append(dst, prefix...), 0)
	}
	return &c
}()

// split is the length of the part of an index key that all versions of an
// object share: for a version up to and with the terminator, else all of it.
func split(k []byte) int {
	if len(k) <= bucketHeadLen || k[0] != spaceVersions {
		return len(k)
	}
	for i := bucketHeadLen; ; i += 2 {
		n := bytes.IndexByte(k[i:], 0)
		if n < 0 || i+n+1 >= len(k) {
			return len(k)
		}
		if i += n; k[i+1] == 1 {
			return i + 2
		}
	}
}
