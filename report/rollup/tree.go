package rollup

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// A tree counts the objects under prefixes. Keys ascend, so the prefixes of the
// current key are a stack, and a prefix that the current key does not begin with is
// complete: if others are larger it is folded, and cannot return.
type tree struct {
	root  string
	depth int

	open    [MaxDepth + 1]openPrefix // the root, and the prefixes of the current key
	n       int                      // number of open prefixes
	dir     []byte                   // the longest of them
	deepest bool                     // dir has depth segments
	pending Tally                    // counted for dir and not yet added

	first    []byte // the first key; its prefixes are never folded
	begun    bool
	disorder bool

	closed     []closedPrefix // after all prefixes below them
	text       []byte         // of closed
	thresholds [2]threshold   // a prefix below both is folded at once
	most       int            // length of closed at which the smaller ones are folded
}

type openPrefix struct {
	tally  Tally
	folded Folded
	end    int  // length of the prefix
	pinned bool // it is a prefix of the first key
}

type closedPrefix struct {
	tally     Tally
	folded    Folded
	from, end int // of its text
	depth     int
	pinned    bool
}

// A threshold is the least prefix that one of the orders keeps.
type threshold struct {
	set    bool
	values [2]int64
	prefix []byte
}

// The orders by which prefixes are kept: by bytes, and by objects.
func values(t *Tally) [2][2]int64 {
	return [2][2]int64{{t.Bytes, t.Objects}, {t.Objects, t.Bytes}}
}

// compare orders prefixes, the largest first. A prefix comes before those below it,
// because its counts are at least as large and its name is less.
func compare(a, b [2]int64) int {
	return cmp.Or(cmp.Compare(b[0], a[0]), cmp.Compare(b[1], a[1]))
}

// topPrefixes is TopPrefixes, except in tests that fold few prefixes.
var topPrefixes = TopPrefixes

// maxClosed is how many closed prefixes are held before the smaller ones are
// folded.
func maxClosed() int { return 4 * topPrefixes }

func (t *tree) init(filter string, depth int) {
	t.root = filter[:strings.LastIndexByte(filter, '/')+1]
	t.depth = depth
	t.most = maxClosed()
}

func (t *tree) reset() {
	t.n, t.open[0] = 1, openPrefix{end: len(t.root), pinned: true}
	t.dir = append(t.dir[:0], t.root...)
	t.deepest = t.depth == 0
	t.pending = Tally{}
	t.first, t.begun, t.disorder = t.first[:0], false, false
	t.closed, t.text = t.closed[:0], t.text[:0]
	t.thresholds[0].set, t.thresholds[1].set = false, false
}

// move closes the open prefixes that key does not begin with, and opens those of
// key.
func (t *tree) move(key []byte) {
	t.flush()
	same := shared(key, t.dir)
	if same < len(t.dir) && (same == len(key) || key[same] < t.dir[same]) {
		t.disorder = true
	}
	for t.n > 1 && t.open[t.n-1].end > same {
		t.close()
	}
	end := t.open[t.n-1].end
	if same >= end {
		for t.n <= t.depth {
			i := bytes.IndexByte(key[end:], '/')
			if i < 0 {
				break
			}
			end += i + 1
			t.open[t.n] = openPrefix{end: end, pinned: !t.begun}
			t.n++
		}
		t.dir = append(t.dir[:t.open[0].end], key[t.open[0].end:end]...)
	}
	t.deepest = t.n > t.depth
	if !t.begun {
		t.begun = true
		t.first = append(t.first, key...)
	}
}

// shared returns the length of the longest common prefix.
func shared(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func (t *tree) flush() {
	t.open[t.n-1].tally.add(&t.pending)
	t.pending = Tally{}
}

// close closes the longest open prefix, which is not the root.
func (t *tree) close() {
	p, parent := &t.open[t.n-1], &t.open[t.n-2]
	parent.tally.add(&p.tally)
	prefix := t.dir[:p.end]
	if !p.pinned && t.thresholds[0].above(values(&p.tally)[0], prefix) && t.thresholds[1].above(values(&p.tally)[1], prefix) {
		parent.folded.Prefixes++
		parent.folded.Tally.add(&p.tally)
	} else {
		t.keep(p)
	}
	t.n--
	t.dir = t.dir[:t.open[t.n-1].end]
}

func (b *threshold) above(v [2]int64, prefix []byte) bool {
	if !b.set {
		return false
	}
	c := compare(b.values, v)
	return c < 0 || c == 0 && bytes.Compare(b.prefix, prefix) < 0
}

func (t *tree) keep(p *openPrefix) {
	from := len(t.text)
	t.text = append(t.text, t.dir[:p.end]...)
	t.closed = append(t.closed, closedPrefix{p.tally, p.folded, from, len(t.text), t.n - 1, p.pinned})
	if len(t.closed) >= t.most {
		t.shrink()
	}
}

func (t *tree) prefix(c *closedPrefix) []byte { return t.text[c.from:c.end] }

// shrink folds the closed prefixes that are not among the largest.
func (t *tree) shrink() {
	keep := make([]bool, len(t.closed))
	for i := range t.closed {
		keep[i] = t.closed[i].pinned
	}
	for order := range t.thresholds {
		last := markTop(keep, func(i, j int) int {
			a, b := &t.closed[i], &t.closed[j]
			if c := compare(values(&a.tally)[order], values(&b.tally)[order]); c != 0 {
				return c
			}
			return bytes.Compare(t.prefix(a), t.prefix(b))
		})
		c := &t.closed[last]
		th := &t.thresholds[order]
		th.set, th.values = true, values(&c.tally)[order]
		th.prefix = append(th.prefix[:0], t.prefix(c)...)
	}
	// The parent of a closed prefix is the next shorter one after it, or is still
	// open.
	var above [MaxDepth + 1]*Folded
	var kept [MaxDepth + 1]bool
	for d := range t.n {
		above[d], kept[d] = &t.open[d].folded, true
	}
	for i, c := range slices.Backward(t.closed) {
		above[c.depth], kept[c.depth] = &t.closed[i].folded, keep[i]
		if !keep[i] && kept[c.depth-1] {
			above[c.depth-1].Prefixes++
			above[c.depth-1].Tally.add(&c.tally)
		}
	}
	n, text := 0, 0
	for i, c := range t.closed {
		if !keep[i] {
			continue
		}
		size := copy(t.text[text:], t.prefix(&c))
		c.from, c.end = text, text+size
		t.closed[n] = c
		n, text = n+1, text+size
	}
	t.closed, t.text = t.closed[:n], t.text[:text]
}

// markTop marks the first topPrefixes indexes of marks by a strict order, and returns
// the last of them.
func markTop(marks []bool, compare func(i, j int) int) (last int) {
	order := make([]int, len(marks))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, compare)
	n := min(topPrefixes, len(order))
	for _, i := range order[:n] {
		marks[i] = true
	}
	return order[n-1]
}

// finish closes all prefixes and returns those that are kept, in the order of
// their names.
func (t *tree) finish() []Prefix {
	t.flush()
	for t.n > 1 {
		t.open[t.n-1].pinned = true // another part may continue it
		t.close()
	}
	root := &t.open[0]
	out := make([]Prefix, 0, len(t.closed)+1)
	out = append(out, Prefix{Prefix: Key(t.root), Tally: root.tally, Folded: root.folded})
	for i := range t.closed {
		c := &t.closed[i]
		out = append(out, Prefix{Prefix: Key(t.prefix(c)), Tally: c.tally, Folded: c.folded})
	}
	slices.SortFunc(out, func(a, b Prefix) int { return cmp.Compare(a.Prefix, b.Prefix) })
	if t.disorder {
		out = joinEqual(out)
	}
	return out
}

// joinEqual adds up entries of the same prefix. They exist if keys were not in
// order; then any prefix may have been folded for a while.
func joinEqual(sorted []Prefix) []Prefix {
	out := sorted[:1]
	for _, p := range sorted[1:] {
		p.AtLeast = true
		if last := &out[len(out)-1]; last.Prefix == p.Prefix {
			last.add(&p.Tally)
			last.Folded.add(&p.Folded)
			continue
		}
		out = append(out, p)
	}
	return out
}

func (f *Folded) add(o *Folded) {
	f.Prefixes += o.Prefixes
	f.Tally.add(&o.Tally)
}
