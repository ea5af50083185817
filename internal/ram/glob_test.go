package ram_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake/internal/ram"
)

// simpleMatch is match by dynamic programming over characters.
func simpleMatch(pattern, s string) bool {
	p, text := characters(pattern), characters(s)
	row := make([]bool, len(text)+1) // row[i]: what is read of the pattern matches text[:i]
	row[0] = true
	for _, c := range p {
		next := make([]bool, len(row))
		for i := range next {
			switch {
			case c == "*":
				next[i] = row[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = row[i-1] && (c == "?" || c == text[i-1])
			}
		}
		row = next
	}
	return row[len(text)]
}

// characters cuts s into characters; a byte that is not part of one is a character.
func characters(s string) (list []string) {
	for s != "" {
		_, n := utf8.DecodeRuneInString(s)
		list, s = append(list, s[:n]), s[n:]
	}
	return list
}

func TestMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab猫*?]{0,12}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab猫]{0,12}`).Draw(t, "s")
		got, _ := ram.Match(pattern, s)
		if want := simpleMatch(pattern, s); got != want || got != naiveMatch(pattern, s) {
			t.Errorf("match(%q, %q) = %v, want %v", pattern, s, got, want)
		}
	})
}

func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{
		{"*", ""}, {"a*b*c", "aXbXbc"}, {"*?a*", "bba"}, {"?", "\xe7"}, {"*\u732b?*", "\x8c\u732b\xff\u732b"}, {"**a?", "aab"}, {"a*a", "a"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 500 || len(s) > 500 {
			return // the model takes the product
		}
		pattern = strings.ToValidUTF8(pattern, "?") // policies are UTF-8
		got, work := ram.Match(pattern, s)
		if want := simpleMatch(pattern, s); got != want {
			t.Errorf("match(%q, %q) = %v, want %v", pattern, s, got, want)
		}
		if !strings.Contains(pattern, "?") && work > 2*(len(pattern)+len(s))+2 {
			t.Errorf("match(%q, %q) took %d", pattern, s, work)
		}
	})
}

// The work of slow patterns grows with the sum of the lengths, not with their
// product. With '?' it ends with the budget, and without a match.
func TestMatchIsBounded(t *testing.T) {
	text := strings.Repeat("a", 2000)
	for _, pattern := range []string{
		strings.Repeat("*a", 7000) + "b", strings.Repeat("*", 14000) + "b", "*" + strings.Repeat("a", 1000) + "b",
		"*" + strings.Repeat("a", 1000) + "b*", strings.Repeat("*aab", 3500), "*b" + strings.Repeat("a", 1999),
	} {
		if matches, work := ram.Match(pattern, text); matches || work > 2*(len(pattern)+len(text)) {
			t.Errorf("%.10q...: %v with %d bytes compared", pattern, matches, work)
		}
	}
	for _, pattern := range []string{
		"*" + strings.Repeat("a?", 500) + "b*", strings.Repeat("*?"+strings.Repeat("a", 20)+"b", 600),
	} {
		if matches, work := ram.Match(pattern, text); matches || work > 1<<20+len(text)+1 {
			t.Errorf("%.10q...: %v with %d bytes compared", pattern, matches, work)
		}
	}
}
