// Package human writes values as people read them on a terminal or a page: numbers
// with their thousands apart, bytes in units of 1,024, text of strangers with
// control characters escaped.
package human

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable escapes characters that a terminal would obey or that would break a
// table, as Go does in strings: keys, ids and prefixes are chosen by strangers.
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

// Unprintable reports whether a terminal would obey a character instead of showing
// it.
func Unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// Count writes a number with thousands separated: 1,234,567.
func Count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Many writes a number of things: "1 file", "1,234 files".
func Many(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Count(n) + " " + noun
}

// Size writes bytes in the binary unit that leaves few digits: "1.5 MiB".
func Size(n int64) string {
	const units = "KMGTPE"
	if n < 0 {
		return "-" + Size(-max(n, -math.MaxInt64))
	}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, i := float64(n)/1024, 0
	for f >= 1023.95 && i < len(units)-1 { // what would be written as 1024.0
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// Grown writes a difference of bytes: "+1.5 MiB", "-3 B", "+0 B".
func Grown(n int64) string {
	if n < 0 {
		return Size(n)
	}
	return "+" + Size(n)
}
