package parquet

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The block sizes of DELTA_BINARY_PACKED, which are those of parquet-java.
const (
	deltaBlock = 128
	deltaMinis = 4
	deltaMini  = deltaBlock / deltaMinis
)

// appendDelta appends values in DELTA_BINARY_PACKED.
//
// Source: parquet-format, Encodings.md, Delta encoding.
func appendDelta[T int32 | int64](dst []byte, values []T) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(values[0]))
	var deltas [deltaBlock]int64
	last := int64(values[0])
	for rest := values[1:]; len(rest) > 0; {
		n := min(len(rest), deltaBlock)
		least := int64(math.MaxInt64)
		for i, v := range rest[:n] {
			d := int64(v) - last // wraps around, as the format defines
			last = int64(v)
			deltas[i] = d
			least = min(least, d)
		}
		rest = rest[n:]
		dst = appendDeltaBlock(dst, &deltas, n, least)
	}
	return dst
}

func appendDeltaBlock(dst []byte, deltas *[deltaBlock]int64, n int, least int64) []byte {
	dst = binary.AppendVarint(dst, least)
	widths := len(dst)
	dst = append(dst, make([]byte, deltaMinis)...)
	for m := 0; m*deltaMini < n; m++ {
		mini := (*[deltaMini]int64)(deltas[m*deltaMini:])
		have := min(deltaMini, n-m*deltaMini)
		all := uint64(0)
		for i := range mini {
			if i >= have {
				mini[i] = 0
				continue
			}
			mini[i] -= least
			all |= uint64(mini[i])
		}
		width := bits.Len64(all)
		dst[widths+m] = byte(width)
		dst = appendPacked(dst, mini, width)
	}
	return dst
}

// appendPacked appends 32 values of width bits, the lowest bits first.
func appendPacked(dst []byte, values *[deltaMini]int64, width int) []byte {
	acc, have := uint64(0), 0
	for _, v := range values {
		u := uint64(v)
		acc |= u << have
		if have+width >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			have += width - 64
			acc = u >> (width - have) // 0 if the shift is 64
			continue
		}
		have += width
	}
	for ; have > 0; have -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}
