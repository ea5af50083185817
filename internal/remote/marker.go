package remote

import (
	"sort"
	"unicode/utf8"
)

// markerBefore returns a marker that comes before key, with few keys between them. It is
// valid UTF-8, which AWS may insist on.
func markerBefore(key string) string {
	for i := 0; i < len(key); {
		r, size := utf8.DecodeRuneInString(key[i:])
		if r == utf8.RuneError && size == 1 {
			return key[:i] + textBelow(key[i:])
		}
		i += size
	}
	last, size := utf8.DecodeLastRuneInString(key)
	head := key[:len(key)-size]
	switch last {
	case 0:
		return head
	case 0xE000:
		last = 0xD800 // skip the surrogates
	}
	return head + string(last-1) + "\U0010FFFF"
}

// textBelow returns text that comes before rest, with few keys between them. rest
// begins with bytes that are not a character; the text follows the greatest
// character before it. Otherwise a scan from a cut such as "\x80" would list the
// whole bucket to find nothing.
func textBelow(rest string) string {
	const halves = 0xE000 - 0xD800 // surrogates, which are not characters
	nth := func(n int) rune {
		if n >= 0xD800 {
			n += halves
		}
		return rune(n)
	}
	n := sort.Search(utf8.MaxRune+1-halves, func(n int) bool { return string(nth(n)) > rest })
	if n == 0 {
		return ""
	}
	return string(nth(n-1)) + "\U0010FFFF"
}
