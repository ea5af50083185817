package rollup

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
)

// A candidate is an object that may be among the largest. Its buffers are reused.
type candidate struct {
	size, modified int64
	class          stocktake.StorageClass
	key, version   []byte
}

func (c *candidate) set(r *stocktake.Record) {
	c.size, c.modified, c.class = r.Size, r.LastModified, r.StorageClass
	c.key = append(c.key[:0], r.Key...)
	c.version = append(c.version[:0], r.VersionID...)
}

func (c *candidate) object() *Object {
	o := &Object{Key: Key(c.key), VersionID: string(c.version), Size: c.size, StorageClass: c.class.String()}
	if c.modified != 0 {
		o.LastModified = time.Unix(c.modified, 0).UTC()
	}
	return o
}

// A ranking is a heap of the largest objects. Its root is the smallest of them.
type ranking struct {
	floor int64 // no smaller object is among the largest
	heap  []candidate
}

func (k *ranking) reset() {
	k.heap = k.heap[:0]
	k.floor = math.MinInt64
}

// add adds r if it is among the largest. Of equal objects those with lower keys
// count as larger, so that the result does not depend on the order of the rows.
func (k *ranking) add(r *stocktake.Record) {
	if n := len(k.heap); n < MaxLargest {
		if n == cap(k.heap) {
			k.heap = slices.Grow(k.heap, MaxLargest)
		}
		k.heap = k.heap[:n+1]
		k.heap[n].set(r)
		for i := n; i > 0 && k.less(i, (i-1)/2); i = (i - 1) / 2 {
			k.heap[i], k.heap[(i-1)/2] = k.heap[(i-1)/2], k.heap[i]
		}
	} else {
		low := &k.heap[0]
		if cmp.Or(cmp.Compare(r.Size, low.size), bytes.Compare(low.key, r.Key), bytes.Compare(low.version, r.VersionID)) <= 0 {
			return
		}
		low.set(r)
		k.down()
	}
	if len(k.heap) == MaxLargest {
		k.floor = k.heap[0].size
	}
}

func (k *ranking) down() {
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(k.heap) {
			return
		}
		if c+1 < len(k.heap) && k.less(c+1, c) {
			c++
		}
		if !k.less(c, i) {
			return
		}
		k.heap[i], k.heap[c] = k.heap[c], k.heap[i]
		i = c
	}
}

// less reports whether i is smaller than j.
func (k *ranking) less(i, j int) bool {
	a, b := &k.heap[i], &k.heap[j]
	return cmp.Or(cmp.Compare(a.size, b.size), bytes.Compare(b.key, a.key), bytes.Compare(b.version, a.version)) < 0
}

func (k *ranking) list() []Object {
	out := make([]Object, 0, len(k.heap))
	for i := range k.heap {
		out = append(out, *k.heap[i].object())
	}
	slices.SortFunc(out, func(a, b Object) int { return largerObject(&a, &b) })
	return out
}

// largerObject orders objects, the largest first.
func largerObject(a, b *Object) int {
	return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Key, b.Key), cmp.Compare(a.VersionID, b.VersionID))
}
