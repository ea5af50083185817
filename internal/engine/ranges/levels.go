package ranges

import "strings"

// A level is the place of a key where a range was cut: how many folders deep it is,
// and how many bytes into the name there, plus 1. The zero value is the level of a
// range that was not cut off another.
type level struct{ depth, offset int }

const (
	maxDepth  = 16
	maxOffset = 32
)

func (l level) none() bool { return l == level{} }

// levelOf returns the level of the byte at of key.
func levelOf(key string, at int) level {
	head := key[:min(at, len(key))]
	return level{
		depth:  min(strings.Count(head, "/"), maxDepth-1),
		offset: min(len(head)-strings.LastIndexByte(head, '/'), maxOffset-1),
	}
}

// differ returns the first place where two keys differ.
func differ(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// levels count the results of cuts at each level. Buckets have levels where cuts pay,
// such as the day of a log, and others where they never do, such as the number of a
// file among the few of an hour.
type levels [maxDepth][maxOffset]struct{ good, all int }

// note records whether a cut yielded more than a page.
func (l *levels) note(at level, good bool) {
	c := &l[at.depth][at.offset]
	c.all++
	if good {
		c.good++
	}
}

// bad reports whether cuts at a level have not paid: those at the exact place or, if
// there were few, those in the same folder.
func (l *levels) bad(at level) bool {
	c := l[at.depth][at.offset]
	if c.all >= 3 {
		return 4*c.good < c.all
	}
	if c.good > 0 {
		return false
	}
	good, all := 0, 0
	for _, c := range l[at.depth] {
		good, all = good+c.good, all+c.all
	}
	return all >= 8 && 4*good < all
}
