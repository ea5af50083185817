package parquet

import (
	"encoding/binary"
	"math/bits"
)

// appendRuns appends values below 1<<width in the hybrid of runs and bit-packed
// groups of eight: dictionary indices, and levels with width 1.
//
// Source: parquet-format, Encodings.md, RLE.
func appendRuns(dst []byte, values []byte, width int) []byte {
	for i := 0; i < len(values); {
		n := runLength(values[i:])
		if n >= 8 || i+n == len(values) {
			dst = binary.AppendUvarint(dst, uint64(n)<<1)
			dst = append(dst, values[i])
			i += n
			continue
		}
		// Collect groups of eight until a run begins that is long enough.
		from := i
		for i < len(values) && i-from < 504 {
			if (i-from)%8 == 0 && i > from && runLength(values[i:min(len(values), i+16)]) >= 16 {
				break
			}
			i++
		}
		groups := (i - from + 7) / 8
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		dst = appendPacked8(dst, values[from:i], groups*8, width)
	}
	return dst
}

// runLength returns how many values at the beginning of v are equal.
func runLength(v []byte) int {
	n := 1
	for n < len(v) && v[n] == v[0] {
		n++
	}
	return n
}

// appendPacked8 appends n values of width bits, at most 8. Missing values are 0.
func appendPacked8(dst []byte, values []byte, n, width int) []byte {
	acc, have := uint64(0), 0
	for i := range n {
		if i < len(values) {
			acc |= uint64(values[i]) << have
		}
		for have += width; have >= 8; have -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	return dst
}

// indexWidth returns the bits of an index into a dictionary of n entries. It is at
// least 1, because some readers do not expect 0.
func indexWidth(n int) int { return max(1, bits.Len(uint(max(0, n-1)))) }

// appendLevels appends the definition levels of rows of an optional column. defined
// has 1 for each row with a value and 0 for each without; nil: all rows have
// values.
func appendLevels(dst []byte, rows int, defined []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if defined == nil {
		dst = binary.AppendUvarint(dst, uint64(rows)<<1)
		dst = append(dst, 1)
	} else {
		dst = appendRuns(dst, defined, 1)
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}
