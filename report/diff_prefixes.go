package report

import (
	"bytes"
	"cmp"
	"slices"
)

// A PrefixChange counts the changes below one prefix.
type PrefixChange struct {
	Prefix  string `json:"prefix"` // of the object keys; empty: keys that have no '/'
	Added   int64  `json:"added"`
	Removed int64  `json:"removed"`
	Changed int64  `json:"changed"`
	Bytes   int64  `json:"bytes"` // growth of the prefix; negative: shrunk
}

// rows returns how many rows have changed.
func (p *PrefixChange) rows() int64 { return p.Added + p.Removed + p.Changed }

func (p *PrefixChange) add(o *PrefixChange) {
	p.Added += o.Added
	p.Removed += o.Removed
	p.Changed += o.Changed
	p.Bytes += o.Bytes
}

// A PrefixChanges adds up the changes that [Diff] finds per prefix. Its memory
// is bounded: when it has 65,536 prefixes, those with the least bytes are folded
// into one.
type PrefixChanges struct {
	depth  int
	found  map[string]*PrefixChange
	others PrefixChange
}

// NewPrefixChanges returns a PrefixChanges for prefixes of depth segments, each
// up to and including a '/'.
func NewPrefixChanges(depth int) *PrefixChanges {
	return &PrefixChanges{depth: depth, found: map[string]*PrefixChange{}}
}

// Add counts a change.
func (p *PrefixChanges) Add(c *Change) {
	prefix := firstSegments(c.Key(), p.depth)
	t := p.found[string(prefix)]
	if t == nil {
		if len(p.found) >= maxPrefixes {
			for _, small := range p.sorted()[maxPrefixes/2:] {
				p.others.add(small)
				delete(p.found, small.Prefix)
			}
		}
		t = &PrefixChange{Prefix: string(prefix)}
		p.found[t.Prefix] = t
	}
	switch c.Kind {
	case Added:
		t.Added++
		t.Bytes += c.New.Size
	case Removed:
		t.Removed++
		t.Bytes -= c.Old.Size
	case Changed:
		t.Changed++
		t.Bytes += c.New.Size - c.Old.Size
	}
}

// sorted returns the prefixes, those that have grown or shrunk most first.
func (p *PrefixChanges) sorted() []*PrefixChange {
	all := make([]*PrefixChange, 0, len(p.found))
	for _, t := range p.found {
		all = append(all, t)
	}
	size := func(t *PrefixChange) int64 { return max(t.Bytes, -t.Bytes) }
	slices.SortFunc(all, func(a, b *PrefixChange) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(b.rows(), a.rows()), cmp.Compare(a.Prefix, b.Prefix))
	})
	return all
}

// Top returns the n prefixes that have grown or shrunk most, and all others
// together. If others says that prefixes were folded, the returned ones may have
// changed by more than their counts.
func (p *PrefixChanges) Top(n int) (top []PrefixChange, others PrefixChange) {
	others = p.others
	top = []PrefixChange{}
	for i, t := range p.sorted() {
		if i < n {
			top = append(top, *t)
		} else {
			others.add(t)
		}
	}
	return top, others
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

// maxPrefixes is how many prefixes are held at once.
const maxPrefixes = 1 << 16
