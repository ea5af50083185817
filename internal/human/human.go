// Package human formats values for people on a terminal or a page: numbers with
// separated thousands, sizes in units of 1,024 bytes, and text of strangers with
// control characters escaped.
package human

import (
	"fmt"
	"math"
	"strconv"
)

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
