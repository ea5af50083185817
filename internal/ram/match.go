package ram

import "unicode/utf8"

// match reports whether s matches a pattern in which '*' stands for any text,
// also none and also across '/', and '?' for one character. With fold, ASCII
// letters match in either case. It does not allocate; its time is bounded by
// len(pattern) * len(s).
func match(pattern, s string, fold bool) bool {
	star, again := -1, 0 // where to go on when the text after the last '*' does not match
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, again = p, i
			p++
			continue
		case p < len(pattern) && pattern[p] == '?':
			_, n := utf8.DecodeRuneInString(s[i:])
			p, i = p+1, i+n
			continue
		case p < len(pattern) && same(pattern[p], s[i], fold):
			p, i = p+1, i+1
			continue
		case star < 0:
			return false
		}
		_, n := utf8.DecodeRuneInString(s[again:])
		again += n
		p, i = star+1, again
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func same(a, b byte, fold bool) bool {
	return a == b || fold && lower(a) == lower(b)
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}
