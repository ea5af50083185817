package human

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible is Printable for web pages: it escapes invisible characters, and those that
// change how other text is displayed: control characters, marks of direction, bytes
// that are not UTF-8.
func Visible(s string) string {
	plain := true
	for _, r := range s {
		if r == utf8.RuneError || Invisible(r) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case Invisible(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// Invisible reports whether a character has no glyph of its own.
func Invisible(r rune) bool {
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || unicode.Is(unicode.Co, r)
}
