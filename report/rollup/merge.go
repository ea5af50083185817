package rollup

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
)

// Merge returns the roll-up of the parts together. The parts belong to one report:
// they have the same Start, Root and Depth. If each key range has been read once, in
// order, the result is the roll-up of the whole: the choice of prefixes does not
// depend on the cuts. If the keys of parts overlap, the counts of a prefix that one
// part has folded are lower bounds. Parts that have the same first and last key are
// merged in the order of the arguments. Without parts the result is an empty roll-up.
func Merge(parts ...*Rollup) *Rollup {
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b *Rollup) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	var out *Rollup
	for _, p := range parts {
		switch {
		case out == nil || out.Rows == 0:
			c := *p
			c.Extensions, c.Largest = slices.Clone(p.Extensions), slices.Clone(p.Largest)
			out = &c
		case p.Rows > 0:
			out.merge(p)
		}
	}
	if out == nil {
		return New(Options{}).Part()
	}
	return out
}

// merge adds o, whose first key is not before that of r. It changes r, not o.
func (r *Rollup) merge(o *Rollup) {
	r.Rows += o.Rows
	r.Tally.add(&o.Tally)
	r.Classes = mergeCounts(r.Classes, o.Classes, func(c *Class) (string, int64, *Count) { return c.StorageClass, 0, &c.Count })
	r.Sizes = mergeCounts(r.Sizes, o.Sizes, func(s *Size) (string, int64, *Count) { return s.StorageClass, s.From, &s.Count })
	r.Ages = mergeCounts(r.Ages, o.Ages, func(a *Age) (string, int64, *Count) { return a.StorageClass, a.From, &a.Count })
	r.mergeExtensions(o)
	r.mergePrefixes(o)
	r.Largest = append(r.Largest, o.Largest...)
	slices.SortFunc(r.Largest, func(a, b Object) int { return largerObject(&a, &b) })
	r.Largest = r.Largest[:min(len(r.Largest), MaxLargest)]
	if o.Oldest != nil && (r.Oldest == nil || o.Oldest.LastModified.Before(r.Oldest.LastModified)) {
		r.Oldest = o.Oldest
	}
	if o.Newest != nil && (r.Newest == nil || o.Newest.LastModified.After(r.Newest.LastModified)) {
		r.Newest = o.Newest
	}
	r.Last = max(r.Last, o.Last)
	if len(r.Prefixes) > maxClosed() {
		r.shrink()
	}
}

// mergeCounts merges two lists in the order of their classes, and adds up entries
// with the same class and number.
func mergeCounts[T any](a, b []T, of func(*T) (string, int64, *Count)) []T {
	out := make([]T, 0, max(len(a), len(b)))
	out = append(append(out, a...), b...)
	slices.SortStableFunc(out, func(x, y T) int {
		xClass, xFrom, _ := of(&x)
		yClass, yFrom, _ := of(&y)
		return cmp.Or(stocktake.CompareStorageClasses(xClass, yClass), cmp.Compare(xFrom, yFrom))
	})
	n := 0
	for i := range out {
		if n > 0 {
			class, from, sum := of(&out[n-1])
			if c, f, count := of(&out[i]); c == class && f == from {
				sum.add(*count)
				continue
			}
		}
		out[n] = out[i]
		n++
	}
	return out[:n]
}

func (r *Rollup) mergeExtensions(o *Rollup) {
	at := make(map[string]int, len(r.Extensions))
	for i, e := range r.Extensions {
		at[e.Extension] = i
	}
	seen := make(map[string]bool, len(o.Extensions))
	for _, e := range o.Extensions {
		seen[e.Extension] = true
		if i, ok := at[e.Extension]; ok {
			r.Extensions[i].add(e.Count)
			r.Extensions[i].AtLeast = r.Extensions[i].AtLeast || e.AtLeast
			continue
		}
		e.AtLeast = e.AtLeast || r.FoldedExtensions.Extensions > 0 && e.Extension != ""
		r.Extensions = append(r.Extensions, e)
	}
	if o.FoldedExtensions.Extensions > 0 {
		for i := range r.Extensions {
			if e := &r.Extensions[i]; !seen[e.Extension] && e.Extension != "" {
				e.AtLeast = true
			}
		}
	}
	r.FoldedExtensions.Extensions += o.FoldedExtensions.Extensions
	r.FoldedExtensions.add(o.FoldedExtensions.Count)
	slices.SortFunc(r.Extensions, byObjects)
	r.foldExtensions()
}

// foldExtensions keeps MaxExtensions of them, and the entry without an extension.
func (r *Rollup) foldExtensions() {
	kept, n := r.Extensions[:0], 0
	for _, e := range r.Extensions {
		if e.Extension != "" {
			if n++; n > MaxExtensions {
				r.FoldedExtensions.Extensions++
				r.FoldedExtensions.add(e.Count)
				continue
			}
		}
		kept = append(kept, e)
	}
	r.Extensions = kept
}

func (r *Rollup) mergePrefixes(o *Rollup) {
	ordered := r.Last <= o.First
	out := make([]Prefix, 0, len(r.Prefixes)+len(o.Prefixes))
	a, b := r.Prefixes, o.Prefixes
	var mine, theirs folds
	if !ordered {
		mine, theirs = foldsOf(a), foldsOf(b)
	}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Prefix < b[0].Prefix:
			p := a[0]
			p.AtLeast = p.AtLeast || !ordered && theirs.mayHave(p.Prefix)
			out, a = append(out, p), a[1:]
		case len(a) == 0 || b[0].Prefix < a[0].Prefix:
			p := b[0]
			p.AtLeast = p.AtLeast || !ordered && mine.mayHave(p.Prefix)
			out, b = append(out, p), b[1:]
		default:
			p := a[0]
			p.Tally.add(&b[0].Tally)
			p.Folded.add(&b[0].Folded)
			p.AtLeast = p.AtLeast || b[0].AtLeast
			out, a, b = append(out, p), a[1:], b[1:]
		}
	}
	r.Prefixes = out
}

// folds maps each prefix of a part to the number of folded prefixes below it.
type folds map[Key]int64

func foldsOf(list []Prefix) folds {
	f := make(folds, len(list))
	for _, p := range list {
		f[p.Prefix] = p.Folded.Prefixes
	}
	return f
}

// mayHave reports whether the part may have folded prefix, which it has not kept.
func (f folds) mayHave(prefix Key) bool {
	for prefix != "" {
		prefix = prefix[:strings.LastIndexByte(string(prefix[:len(prefix)-1]), '/')+1]
		if n, ok := f[prefix]; ok {
			return n > 0
		}
	}
	return false
}

// Seal makes r the roll-up of a whole report: it keeps exactly the largest prefixes,
// and drops those that it kept only because another part might continue them.
func (r *Rollup) Seal() {
	r.First, r.Last = "", ""
	r.shrink()
}

// shrink folds the prefixes that are not among the largest and that no other
// part continues.
func (r *Rollup) shrink() {
	list := r.Prefixes
	keep := make([]bool, len(list))
	for i := range list {
		p := string(list[i].Prefix)
		keep[i] = i == 0 || r.First+r.Last != "" && (strings.HasPrefix(string(r.First), p) || strings.HasPrefix(string(r.Last), p))
	}
	for order := range 2 {
		if len(list) > 1 {
			markTop(keep[1:], func(i, j int) int {
				a, b := &list[i+1], &list[j+1]
				return cmp.Or(compare(values(&a.Tally)[order], values(&b.Tally)[order]), cmp.Compare(a.Prefix, b.Prefix))
			})
		}
	}
	out := make([]Prefix, 0, min(len(list), 2*topPrefixes+2*MaxDepth+1))
	var above []int // in out, the prefixes above the current one
	gone := Key("") // the last folded prefix; prefixes below it are counted with it
	for i, p := range list {
		for len(above) > 0 && !strings.HasPrefix(string(p.Prefix), string(out[above[len(above)-1]].Prefix)) {
			above = above[:len(above)-1]
		}
		switch {
		case keep[i]:
			above = append(above, len(out))
			out = append(out, p)
		case gone == "" || !strings.HasPrefix(string(p.Prefix), string(gone)):
			gone = p.Prefix
			f := &out[above[len(above)-1]].Folded
			f.Prefixes++
			f.Tally.add(&p.Tally)
		}
	}
	r.Prefixes = out
}

// Direct returns the totals directly under the i-th prefix: those neither under
// another prefix that is kept nor under one that is folded.
func (r *Rollup) Direct(i int) Tally {
	p := &r.Prefixes[i]
	direct := p.Tally
	direct.sub(&p.Folded.Tally)
	next := p.Prefix
	for j := i + 1; j < len(r.Prefixes); j++ {
		q := &r.Prefixes[j]
		if !strings.HasPrefix(string(q.Prefix), string(p.Prefix)) {
			break
		}
		if next == p.Prefix || !strings.HasPrefix(string(q.Prefix), string(next)) {
			direct.sub(&q.Tally)
			next = q.Prefix
		}
	}
	return direct
}
