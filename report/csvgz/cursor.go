package csvgz

// A cursor is the position of an Encoder in its output. It is separate from the
// Encoder because it is small enough to stay in registers. Each step of encoding is
// a method that takes the Encoder and returns the next cursor. A receiver and the
// first result use the same registers, so a chain of steps moves no data.
//
// Between two steps n is less than 8, so a step may add up to 56 bits before it
// spills.
type cursor struct {
	bits uint64 // not in Encoder.out yet, the first one lowest
	out  int    // bytes written to Encoder.out
	n    uint   // number of bits; third, so that it is in CX, the shift count of amd64
	text int    // bytes written to Encoder.text
}

// A code is a number of bits, in its low six bits, and above them the bits to
// emit, the first one lowest. Codes of at most 26 bits fit into a uint32, others
// into a uint64. The low six bits of a sum of codes are the sum of their lengths.
const (
	codeLen  = 63 // mask of the length
	codeBits = 6  // shift of the bits
)

// put adds a code. Only the low six bits of n are valid until the next spill.
func (c cursor) put(code uint64) cursor {
	c.bits |= code >> codeBits << (c.n & codeLen)
	c.n += uint(code)
	return c
}

// spill moves whole bytes from bits to out. It always stores eight bytes.
func (c cursor) spill(out *buffer) cursor {
	out.put64(c.out, c.bits)
	c.out += int(c.n & codeLen >> 3)
	c.bits >>= c.n & 56
	c.n &= 7
	return c
}

// join returns the code for a followed by b.
func join(a, b uint64) uint64 {
	n := a & codeLen
	return a&^codeLen | b>>codeBits<<(n+codeBits&63) | (n + b&codeLen)
}

// align fills the last byte with zero bits.
func (c cursor) align(out *buffer) cursor {
	c.n = (c.n&codeLen + 7) &^ 7
	return c.spill(out)
}
