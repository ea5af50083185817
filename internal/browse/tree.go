package browse

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report/rollup"
)

// A node is a prefix and its counts.
type node struct {
	prefix string // ends with '/', or is empty
	count  rollup.Count
	folded int64 // number of prefixes directly below that have no node of their own

	parent   *node
	children []*node
	objects  rollup.Count // directly below
	rest     rollup.Count // in the folded prefixes
	before   rollup.Count // counts in the other report; zero: none
}

// A entry is a line of the open prefix.
type entry struct {
	name   string
	count  rollup.Count
	before rollup.Count
	node   *node  // that the line opens; nil: none
	leaf   string // prefix whose objects the line opens; empty with node nil: it opens nothing
	opens  bool
}

// newTree returns the tree of the prefixes of a report. If older is not nil, nodes
// also have the counts of the prefix in older, and prefixes that exist only in
// older have nodes.
func newTree(sums, older *rollup.Rollup) *node {
	root := &node{}
	if len(sums.Prefixes) > 0 {
		root.prefix = string(sums.Prefixes[0].Prefix)
	}
	nodes := map[string]*node{}
	add := func(r *rollup.Rollup, set func(*node, int)) {
		open := []*node{root}
		for i := range r.Prefixes {
			prefix := string(r.Prefixes[i].Prefix)
			for len(open) > 1 && !strings.HasPrefix(prefix, open[len(open)-1].prefix) {
				open = open[:len(open)-1]
			}
			n := nodes[prefix]
			switch {
			case n != nil:
			case i == 0 && prefix == root.prefix:
				n = root
			default:
				n = &node{prefix: prefix, parent: open[len(open)-1]}
				n.parent.children = append(n.parent.children, n)
			}
			nodes[prefix] = n
			set(n, i)
			if n != root {
				open = append(open, n)
			}
		}
	}
	add(sums, func(n *node, i int) {
		p, direct := &sums.Prefixes[i], sums.Direct(i)
		n.count, n.folded = countOf(&p.Tally), p.Folded.Prefixes
		n.objects, n.rest = countOf(&direct), countOf(&p.Folded.Tally)
	})
	if older != nil {
		add(older, func(n *node, i int) { n.before = countOf(&older.Prefixes[i].Tally) })
	}
	return root
}

func countOf(t *rollup.Tally) rollup.Count {
	return rollup.Count{Objects: t.Objects, Bytes: t.Bytes}
}

// An order is the sort order of the lines.
type order uint8

const (
	bySize order = iota
	byCount
	byName
	byChange
)

var orders = [...]string{"size", "objects", "name", "change"}

// entries returns the lines of a prefix in order.
func (n *node) entries(order order) []entry {
	var all []entry
	for _, c := range n.children {
		all = append(all, entry{name: c.prefix[len(n.prefix):], count: c.count, before: c.before, node: c, opens: true})
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.compare(&b, order) })
	// Lines that are not prefixes come last, since they cannot be compared with one.
	if n.objects.Objects > 0 {
		all = append(all, entry{name: "(objects directly here)", count: n.objects, leaf: n.prefix, opens: true})
	}
	if n.folded > 0 {
		all = append(all, entry{name: "(" + human.Many(n.folded, "smaller prefix") + ")", count: n.rest})
	}
	return all
}

func (e *entry) change() int64 { return e.count.Bytes - e.before.Bytes }

func (e *entry) compare(o *entry, order order) int {
	abs := func(n int64) int64 { return max(n, -n) }
	by := 0
	switch order {
	case bySize:
		by = cmp.Compare(o.count.Bytes, e.count.Bytes)
	case byCount:
		by = cmp.Compare(o.count.Objects, e.count.Objects)
	case byChange:
		by = cmp.Compare(abs(o.change()), abs(e.change()))
	}
	return cmp.Or(by, cmp.Compare(e.name, o.name))
}

// find returns the next node after from, in the order of prefixes, whose prefix
// contains text. The search wraps around at the end. It returns nil if no node
// matches.
func (n *node) find(text string, from *node) *node {
	var all []*node
	var walk func(*node)
	walk = func(n *node) {
		all = append(all, n)
		for _, c := range n.children {
			walk(c)
		}
	}
	walk(n)
	slices.SortFunc(all, func(a, b *node) int { return cmp.Compare(a.prefix, b.prefix) })
	at := slices.Index(all, from)
	for i := range all {
		c := all[(at+1+i)%len(all)]
		if c != n && strings.Contains(strings.ToLower(c.prefix[len(c.parent.prefix):]), strings.ToLower(text)) {
			return c
		}
	}
	return nil
}
