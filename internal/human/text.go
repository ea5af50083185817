package human

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable escapes terminal control characters and characters that would break a table, as Go does
// in strings: keys, ids and prefixes are chosen by strangers.
func Printable(s string) string {
	if strings.IndexFunc(s, Unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case !Unprintable(r):
			b.WriteRune(r)
		case r == utf8.RuneError && s[i] >= utf8.RuneSelf && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == utf8.RuneError:
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToGraphic(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// Unprintable reports whether a terminal would execute a character instead of showing it.
func Unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// PrintableLines does what Printable does for text of several lines.
func PrintableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Printable(line)
	}
	return strings.Join(lines, "\n")
}

// maxCell is how many characters of a value a table for people shows.
const maxCell = 60

// Cut leaves the middle out of a value that would break a table: keys have up
// to 1,023 bytes.
func Cut(s string) string {
	r := []rune(s)
	if len(r) <= maxCell {
		return s
	}
	const end = maxCell / 3
	return string(r[:maxCell-end-1]) + "…" + string(r[len(r)-end:])
}

// OrDash returns s, or "-" for an empty one.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
