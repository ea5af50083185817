package csvgz

import "encoding/binary"

// A cursor is where an Encoder stands in its stream. It is small enough to
// travel in registers, which is why it is no part of the Encoder.
//
// Between any two steps n is below 8, so a step may add up to 56 bits before it
// must spill.
type cursor struct {
	bits uint64 // of the stream that are not in Encoder.out yet, the first lowest
	n    uint   // how many they are
	out  int    // how much of Encoder.out is written
	text int    // how much of Encoder.text is written
}

// A code is bits to emit: how many in the low six bits of the code, then the
// bits themselves, the first lowest. Tables of codes of at most 26 bits keep
// them as uint32, others as uint64. That the length is lowest lets a sum of
// codes stand for the sum of their lengths, as far as the low six bits go.
const (
	codeLen  = 63 // mask of the length
	codeBits = 6  // shift of the bits
)

// spill moves whole bytes from c.bits to out. It stores eight, whatever it has.
func (c cursor) spill(out []byte) cursor {
	binary.LittleEndian.PutUint64(out[c.out:], c.bits)
	c.n &= codeLen
	c.out += int(c.n >> 3)
	c.bits >>= c.n & 56
	c.n &= 7
	return c
}

// put adds one code. There must be room for its bits.
func (c cursor) put(code uint64) cursor {
	c.bits |= code >> codeBits << (c.n & codeLen)
	c.n += uint(code & codeLen)
	return c
}

// align fills up the last byte with zero bits.
func (c cursor) align(out []byte) cursor {
	c.n = (c.n + 7) &^ 7
	return c.spill(out)
}
