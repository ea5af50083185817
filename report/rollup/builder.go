package rollup

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
)

// Options configure a Builder.
type Options struct {
	// Start is the time from which ages are counted.
	Start time.Time
	// Prefix is the prefix of the filter: all keys begin with it. Prefixes are
	// counted below the part of it that ends with its last '/'.
	Prefix string
	// Depth is the most segments, each up to a '/', of a counted prefix; 0 means
	// DefaultDepth. It is at most MaxDepth. If negative, prefixes are not counted.
	Depth int
	// Versions says that records know whether they are the latest version of their
	// key. If false, all are.
	Versions bool
}

// cells are the counts of a storage class, by size and by age.
type cells struct {
	sizes [65]Count // by the number of bits of the size
	ages  [64]Count // see age
}

// The first indexes of cells.ages. From ageDays on they are numbers of bits of
// days.
const (
	ageUnknown = iota
	ageFuture
	ageDays
)

// A Builder adds up records that arrive in the order of their keys. It does not
// allocate per record. It is not safe for concurrent use.
type Builder struct {
	opts    Options
	start   int64
	places  [256]uint16 // of a class in classes; 0: not seen
	classes []cells     // those that were seen, from place 1 on
	tree    tree
	exts    extensions
	largest ranking

	oldest, newest dated
	last           []byte // key added last
	one            [1]stocktake.Record
}

// dated is the object with the lowest or the highest time.
type dated struct {
	time   int64
	object candidate
	found  bool
}

// New returns a Builder without records.
func New(opts Options) *Builder {
	opts.Depth = min(cmp.Or(opts.Depth, DefaultDepth), MaxDepth)
	b := &Builder{opts: opts, start: opts.Start.Unix(), classes: make([]cells, 1)}
	b.tree.init(opts.Prefix, max(opts.Depth, 0))
	b.exts.init()
	b.Reset()
	return b
}

// Reset forgets all records.
func (b *Builder) Reset() {
	clear(b.classes)
	b.tree.reset()
	b.exts.reset()
	b.largest.reset()
	b.oldest = dated{time: math.MaxInt64, object: b.oldest.object}
	b.newest = dated{time: math.MinInt64, object: b.newest.object}
	b.last = b.last[:0]
}

const secondsPerDay = 24 * 60 * 60

// Add adds the records of batch. It does not retain them.
func (b *Builder) Add(batch []stocktake.Record) {
	if len(batch) == 0 {
		return
	}
	t, pending := &b.tree, &b.tree.pending
	if !t.begun {
		t.move(batch[0].Key)
	}
	oldest, newest := b.oldest.time, b.newest.time
	oldestAt, newestAt := -1, -1
	for i := range batch {
		r := &batch[i]
		key, dir := r.Key, t.dir
		if len(key) < len(dir) || string(key[:len(dir)]) != string(dir) || !t.deepest && bytes.IndexByte(key[len(dir):], '/') >= 0 {
			t.move(key)
		}
		if r.IsDeleteMarker {
			pending.DeleteMarkers++
			continue
		}
		size := r.Size
		pending.Objects++
		pending.Bytes += size
		if b.opts.Versions && !r.IsLatest {
			pending.Noncurrent.Objects++
			pending.Noncurrent.Bytes += size
		}

		place := b.places[r.StorageClass]
		if place == 0 {
			place = b.place(r.StorageClass)
		}
		c := &b.classes[place]
		cell := &c.sizes[bits.Len64(uint64(size))]
		cell.Objects++
		cell.Bytes += size

		modified := r.LastModified
		age := ageUnknown
		if modified != 0 {
			if modified < oldest {
				oldest, oldestAt = modified, i
			}
			if modified > newest {
				newest, newestAt = modified, i
			}
			age = ageFuture
			if modified <= b.start {
				age = ageDays + bits.Len64(uint64(b.start-modified)/secondsPerDay)
			}
		}
		cell = &c.ages[age]
		cell.Objects++
		cell.Bytes += size

		if n := len(key); n >= 8 {
			b.exts.add(key, binary.LittleEndian.Uint64(key[n-8:]), size)
		} else {
			b.exts.addShort(key, size)
		}
		if size >= b.largest.floor {
			b.largest.add(r)
		}
	}
	if oldestAt >= 0 {
		b.oldest.set(&batch[oldestAt])
	}
	if newestAt >= 0 {
		b.newest.set(&batch[newestAt])
	}
	b.last = append(b.last[:0], batch[len(batch)-1].Key...)
}

// place assigns a place to a class.
func (b *Builder) place(c stocktake.StorageClass) uint16 {
	b.classes = append(b.classes, cells{})
	b.places[c] = uint16(len(b.classes) - 1)
	return b.places[c]
}

func (d *dated) set(r *stocktake.Record) {
	d.time, d.found = r.LastModified, true
	d.object.set(r)
}

// AddOne adds one record.
func (b *Builder) AddOne(r *stocktake.Record) {
	b.one[0] = *r
	b.Add(b.one[:])
}

// Start returns the time from which ages are counted.
func (b *Builder) Start() time.Time { return b.opts.Start }

// Sorted reports whether all records came in the order of their prefixes. Counting
// of prefixes relies on this order.
func (b *Builder) Sorted() bool { return !b.tree.disorder }

// Part returns the roll-up of the added records, for [Merge]. Afterwards only Reset
// may be called.
func (b *Builder) Part() *Rollup {
	r := &Rollup{
		Version: Version, Start: b.opts.Start.UTC(),
		Classes: []Class{}, Sizes: []Size{}, Ages: []Age{},
		Depth: b.tree.depth, Root: Key(b.tree.root),
		First: Key(b.tree.first), Last: Key(b.last),
	}
	r.Prefixes = b.tree.finish()
	r.Tally = r.Prefixes[0].Tally
	r.Rows = r.Objects + r.DeleteMarkers
	for _, class := range b.names() {
		b.classes[b.places[class]].list(r, class.String())
	}
	r.Extensions, r.FoldedExtensions = b.exts.list()
	r.Largest = b.largest.list()
	if b.oldest.found {
		r.Oldest, r.Newest = b.oldest.object.object(), b.newest.object.object()
	}
	return r
}

// names returns the classes that have a place, in the order of
// stocktake.CompareStorageClasses.
func (b *Builder) names() (all []stocktake.StorageClass) {
	for c, place := range b.places {
		if place > 0 {
			all = append(all, stocktake.StorageClass(c))
		}
	}
	slices.SortFunc(all, func(x, y stocktake.StorageClass) int {
		return stocktake.CompareStorageClasses(x.String(), y.String())
	})
	return all
}

// list adds the non-empty cells to r.
func (c *cells) list(r *Rollup, class string) {
	var all Count
	for i, n := range c.sizes {
		if n.Objects > 0 {
			from := int64(0)
			if i > 0 {
				from = int64(uint64(1) << (i - 1))
			}
			r.Sizes = append(r.Sizes, Size{class, from, n})
			all.add(n)
		}
	}
	if all.Objects == 0 {
		return
	}
	r.Classes = append(r.Classes, Class{class, all})
	for i, n := range c.ages {
		if n.Objects == 0 {
			continue
		}
		from := int64(0)
		switch {
		case i == ageUnknown:
			from = AgeUnknown
		case i == ageFuture:
			from = AgeFuture
		case i > ageDays:
			from = 1 << (i - ageDays - 1)
		}
		r.Ages = append(r.Ages, Age{class, from, n})
	}
}
