package ram

import (
	"strings"
	"unicode/utf8"
)

// A budget bounds the work of a decision, in bytes compared. The author of a policy
// and the sender of a request choose the two sides of each comparison, so the
// product of their lengths must not become processor time.
//
// Once a budget is spent, results of match are meaningless: the caller must deny.
type budget struct{ left int }

// Bounds of the work of decisions, in bytes compared. A policy of 16 KB with
// patterns such as "acs:oss:*:*:photos/2026/*" takes about 10,000.
const (
	maxWork      = 1 << 20 // one decision: about a millisecond
	maxBatchWork = 1 << 24 // all decisions of one request
)

// spend takes n bytes of work from b.
func (b *budget) spend(n int) { b.left -= n + 1 }

// spent reports whether b is overdrawn.
func (b *budget) spent() bool { return b.left < 0 }

// match reports whether s matches a pattern in which '*' stands for any text,
// also none and also across '/', and '?' for one character. The pattern is valid
// UTF-8. It does not allocate.
//
// The text between two stars is searched for from left to right. The leftmost place
// is always right, since it leaves the most text to the rest of the pattern, so no
// place is tried again: the time is linear in len(pattern) + len(s). Only a text
// that has a '?' in it may be compared at each place of s, within the budget.
func (b *budget) match(pattern, s string) bool {
	star := strings.IndexByte(pattern, '*')
	if star < 0 {
		return b.prefix(pattern, s) == len(s)
	}
	n := b.prefix(pattern[:star], s)
	for n >= 0 && !b.spent() {
		pattern, s = pattern[star+1:], s[n:]
		if star = strings.IndexByte(pattern, '*'); star < 0 {
			return b.suffix(pattern, s)
		}
		n = b.search(pattern[:star], s)
	}
	return false
}

// prefix returns how many bytes of s a text without '*' takes at its start, or
// -1 if s does not start with it.
func (b *budget) prefix(text, s string) int {
	n := 0
	for p := range len(text) {
		switch {
		case n == len(s):
			b.spend(n)
			return -1
		case text[p] == '?':
			_, size := utf8.DecodeRuneInString(s[n:])
			n += size
		case text[p] != s[n]:
			b.spend(n)
			return -1
		default:
			n++
		}
	}
	b.spend(n)
	return n
}

// suffix reports whether s ends with a text without '*'.
func (b *budget) suffix(text, s string) bool {
	n := len(s)
	for p := len(text) - 1; p >= 0; p-- {
		switch {
		case n == 0:
			return false
		case text[p] == '?':
			_, size := utf8.DecodeLastRuneInString(s[:n])
			n -= size
		case text[p] != s[n-1]:
			return false
		default:
			n--
		}
	}
	b.spend(len(s) - n)
	return true
}

// search returns the end of the first place of s that matches a text without '*',
// or -1.
func (b *budget) search(text, s string) int {
	if strings.IndexByte(text, '?') < 0 {
		n := strings.Index(s, text)
		if n < 0 {
			b.spend(len(s))
			return -1
		}
		b.spend(n + len(text))
		return n + len(text)
	}
	for start := 0; len(s)-start >= len(text) && !b.spent(); {
		if n := b.prefix(text, s[start:]); n >= 0 {
			return start + n
		}
		_, size := utf8.DecodeRuneInString(s[start:])
		start += size
	}
	return -1
}
