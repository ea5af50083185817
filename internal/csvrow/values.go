package csvrow

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/stocktake/stocktake"
)

// The put functions write a value into b at i and return the index after it. They
// store whole words, so b must have slack bytes after the value.
const slack = 8

// The digits of numbers in rows.
const (
	UpperHex = "0123456789ABCDEF"
	Decimal  = "0123456789"
)

// Escapes and Quotes are the encoded text of each byte: of a key, and of any other
// quoted value. An entry has up to three bytes of text, the first one lowest, and
// their number in the highest byte. Keys are percent-encoded. In other values a
// quote is doubled; OSS writes no value with a quote, but another store might.
var Escapes, Quotes = func() (e, q [256]uint32) {
	for c := range e {
		q[c] = uint32(c) | 1<<24
		e[c] = q[c]
		if !unreserved(byte(c)) {
			e[c] = '%' | uint32(UpperHex[c>>4])<<8 | uint32(UpperHex[c&15])<<16 | 3<<24
		}
	}
	q['"'] = '"' | '"'<<8 | 2<<24
	return e, q
}()

// unreserved reports whether percent-encoding leaves c as it is. '+' is always
// encoded, so that decoders read the same key whether or not they take '+' for a
// space.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}

func putEscaped(b []byte, i int, key []byte) int {
	for _, c := range key {
		e := Escapes[c]
		binary.LittleEndian.PutUint32(b[i:], e)
		i += int(e >> 24)
	}
	return i
}

// AppendKey appends key, percent-encoded as in a row, to dst.
func AppendKey(dst, key []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, 3*len(key)+slack)
	return dst[:putEscaped(dst[:cap(dst)], n, key)]
}

// putQuoted writes the text of a quoted column, without its quotes.
func putQuoted(b []byte, i int, s []byte) int {
	for _, c := range s {
		b[i] = c
		i++
		if c == '"' {
			b[i] = '"'
			i++
		}
	}
	return i
}

func putBool(b []byte, i int, v bool) int {
	if v {
		binary.LittleEndian.PutUint32(b[i:], 't'|'r'<<8|'u'<<16|'e'<<24)
		return i + 4
	}
	binary.LittleEndian.PutUint32(b[i:], 'f'|'a'<<8|'l'<<16|'s'<<24)
	b[i+4] = 'e'
	return i + 5
}

// HexPairs are the two upper-case digits of each byte, the first in the low byte.
// DecimalPairs are those of 0 to 99.
var HexPairs, DecimalPairs = func() (h [256]uint16, d [100]uint16) {
	for c := range h {
		h[c] = uint16(UpperHex[c>>4]) | uint16(UpperHex[c&15])<<8
	}
	for n := range d {
		d[n] = uint16(Decimal[n/10]) | uint16(Decimal[n%10])<<8
	}
	return h, d
}()

func putETag(b []byte, i int, e *stocktake.ETag) int {
	if e.Text != nil {
		return putQuoted(b, i, e.Text)
	}
	for _, c := range e.Sum {
		binary.LittleEndian.PutUint16(b[i:], HexPairs[c])
		i += 2
	}
	if e.Parts != 0 {
		b[i] = '-'
		i = putUint(b, i+1, uint64(e.Parts))
	}
	return i
}

func putInt(b []byte, i int, v int64) int {
	if v < 0 {
		b[i] = '-'
		return putUint(b, i+1, -uint64(v))
	}
	return putUint(b, i, uint64(v))
}

func putUint(b []byte, i int, v uint64) int {
	end := i + digits(v)
	p := end
	for v >= 100 {
		p -= 2
		binary.LittleEndian.PutUint16(b[p:], DecimalPairs[v%100])
		v /= 100
	}
	if v >= 10 {
		binary.LittleEndian.PutUint16(b[p-2:], DecimalPairs[v])
	} else {
		b[p-1] = Decimal[v]
	}
	return end
}

// AppendUint appends v in decimal to dst.
func AppendUint(dst []byte, v uint64) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(powers))
	return dst[:putUint(dst[:cap(dst)], n, v)]
}

// digits returns the length of v in decimal, at least 1.
func digits(v uint64) int {
	// 1233/4096 is a little more than log10 of 2.
	n := bits.Len64(v|1) * 1233 >> 12
	if v >= powers[n] {
		n++
	}
	return max(n, 1)
}

var powers = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
