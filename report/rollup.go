package report

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
)

// RollupOptions configure [Report.Rollup]. The zero value asks for the ten
// largest prefixes of one segment.
type RollupOptions struct {
	Depth int // segments of a key in a prefix, each up to and including a '/'; 0: 1
	Top   int // number of prefixes to return; 0: 10
}

// A Rollup has the totals of a report.
type Rollup struct {
	Rows          int64                  `json:"rows"`
	DeleteMarkers int64                  `json:"deleteMarkers"`
	Bytes         int64                  `json:"bytes"`   // 0 without column Size
	Classes       []stocktake.ClassTotal `json:"classes"` // empty without column StorageClass

	Prefixes []PrefixTotal `json:"prefixes"` // the largest, by bytes, then by objects
	Others   PrefixTotal   `json:"others"`   // all other prefixes together; its Prefix is empty

	// Inexact reports that rows of some prefixes were counted in Others although
	// the prefix may be one of the largest: the report has more than 65,536
	// prefixes, and the rows of a prefix are not adjacent.
	Inexact bool `json:"inexact,omitempty"`
}

// A PrefixTotal counts the rows under one prefix, without delete markers.
type PrefixTotal struct {
	Prefix  string `json:"prefix"` // of the object keys; empty: keys that have no '/'
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// maxPrefixes is how many prefixes a roll-up holds at once.
const maxPrefixes = 1 << 16

// Rollup reads the report and returns its totals by storage class and by prefix.
// Its memory does not grow with the report.
func (r *Report) Rollup(ctx context.Context, opts RollupOptions) (*Rollup, error) {
	p := prefixes{depth: cmp.Or(opts.Depth, 1), found: make(map[string]*PrefixTotal)}
	p.top = min(max(cmp.Or(opts.Top, 10), 0), maxPrefixes/2)
	var all Totals
	for row, err := range r.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		all.Add(&row.Record)
		if !row.IsDeleteMarker {
			p.add(row)
		}
	}
	out := &Rollup{
		Rows: all.Rows, DeleteMarkers: all.Markers, Bytes: all.Bytes,
		Classes: []stocktake.ClassTotal{},
	}
	if slices.Contains(r.Columns, stocktake.FieldStorageClass) {
		out.Classes = all.Classes()
	}
	p.shrink(p.top, func(*PrefixTotal) bool { return false })
	out.Others, out.Inexact = p.others, p.dropped && p.disorder
	out.Prefixes = make([]PrefixTotal, 0, len(p.found))
	for _, t := range p.found {
		out.Prefixes = append(out.Prefixes, *t)
	}
	slices.SortFunc(out.Prefixes, func(a, b PrefixTotal) int { return larger(&a, &b) })
	return out, nil
}

// prefixes adds up rows per prefix. While keys ascend, a prefix that the current
// key does not start with is complete, so dropping a small one loses none of the
// largest.
type prefixes struct {
	depth, top int
	found      map[string]*PrefixTotal
	current    *PrefixTotal
	key        []byte // the first key since the prefix changed
	others     PrefixTotal

	dropped  bool // some prefixes were moved to others before the end
	disorder bool // keys do not ascend
}

func (p *prefixes) add(row *Row) {
	prefix := firstSegments(row.Key, p.depth)
	if p.current == nil || string(prefix) != p.current.Prefix {
		p.disorder = p.disorder || bytes.Compare(row.Key, p.key) < 0
		p.key = append(p.key[:0], row.Key...)
		p.enter(string(prefix))
	}
	p.current.Objects++
	p.current.Bytes += row.Size
}

func (p *prefixes) enter(prefix string) {
	if t := p.found[prefix]; t != nil {
		p.current = t
		return
	}
	if len(p.found) >= maxPrefixes {
		key := string(p.key)
		p.shrink(maxPrefixes/2, func(t *PrefixTotal) bool { return strings.HasPrefix(key, t.Prefix) })
		p.dropped = true
	}
	p.current = &PrefixTotal{Prefix: prefix}
	p.found[prefix] = p.current
}

// shrink keeps the n largest prefixes and those for which keep returns true, and
// adds the rest to the others.
func (p *prefixes) shrink(n int, keep func(*PrefixTotal) bool) {
	if len(p.found) <= n {
		return
	}
	all := make([]*PrefixTotal, 0, len(p.found))
	for _, t := range p.found {
		all = append(all, t)
	}
	slices.SortFunc(all, larger)
	for _, t := range all[n:] {
		if keep(t) {
			continue
		}
		p.others.Objects += t.Objects
		p.others.Bytes += t.Bytes
		delete(p.found, t.Prefix)
	}
}

// larger orders prefixes by size, the largest first, and equal ones by name, so
// that the result is deterministic.
func larger(a, b *PrefixTotal) int {
	return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Prefix, b.Prefix))
}

// firstSegments returns the part of key up to and including its n-th '/', or its
// last '/' if it has fewer.
func firstSegments(key []byte, n int) []byte {
	end := 0
	for range n {
		i := bytes.IndexByte(key[end:], '/')
		if i < 0 {
			break
		}
		end += i + 1
	}
	return key[:end]
}
