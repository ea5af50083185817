package listpage

import (
	"encoding/binary"

	"github.com/stocktake/stocktake"
)

// sumLen is the length of an MD5 sum in hexadecimal digits.
const sumLen = 32

// usualETag sets e to the quoted sum of 32 hexadecimal digits that text begins
// with, and returns its length with the quotes, or 0 if text begins with something
// else.
func usualETag(text []byte, e *stocktake.ETag) (n int) {
	quote := 1
	switch {
	case len(text) < 2*len(`&quot;`)+sumLen:
		return 0
	case text[0] == '&' && string(text[:len(`&quot;`)]) == `&quot;`:
		quote = len(`&quot;`)
	case text[0] == '&' && string(text[:len(`&#34;`)]) == `&#34;`:
		quote = len(`&#34;`)
	case text[0] != '"':
		return 0
	}
	end := quote + sumLen
	if string(text[:quote]) != string(text[end:end+quote]) {
		return 0
	}
	sum := text[quote:end:end]
	small, ok := hexDigits(sum)
	switch {
	case !ok:
		return 0
	case small: // ETag.Sum is upper case only
		e.Text = sum
	default:
		*e = stocktake.ParseETag(sum)
	}
	return end + quote
}

// hexDigits reports whether the first 32 bytes are hexadecimal digits, and whether
// any of them is a lower-case letter.
func hexDigits(text []byte) (small, ok bool) {
	const ones = 0x0101010101010101
	digit, letter, set, all := uint64(0x80*ones), uint64(0), uint64(0), uint64(0x80*ones)
	for i := 0; i < sumLen; i += 8 {
		// The highest bit of each byte of a sum says whether the byte is at least a
		// certain value, provided that no byte of x has that bit.
		x := binary.LittleEndian.Uint64(text[i : i+8 : i+8])
		folded := x | 0x20*ones
		digit = (x + (0x80-'0')*ones) &^ (x + (0x80-'9'-1)*ones)
		letter = (folded + (0x80-'a')*ones) &^ (folded + (0x80-'f'-1)*ones)
		all &= (digit | letter) &^ x
		set |= letter & (x << 2) // a lower-case letter has the bit 0x20
	}
	return set&(0x80*ones) != 0, all&(0x80*ones) == 0x80*ones
}
