package csvgz

// A cursor is where an Encoder stands in its stream. It is no part of the
// Encoder because it is small enough to travel in registers: the steps are its
// methods, which take the Encoder and return the cursor behind them, and as a
// receiver and a first result are in the same registers, a chain of steps
// moves nothing.
//
// Between any two steps n is below 8, so a step may add up to 56 bits before it
// must spill.
type cursor struct {
	bits uint64 // of the stream that are not in Encoder.out yet, the first lowest
	out  int    // how much of Encoder.out is written
	n    uint   // how many bits; third, so that it travels in CX, where amd64 wants what it shifts by
	text int    // how much of Encoder.text is written
}

// A code is bits to emit: how many in the low six bits of the code, then the
// bits themselves, the first lowest. Tables of codes of at most 26 bits keep
// them as uint32, others as uint64. As the length is lowest, the low six bits
// of a sum of codes are the sum of their lengths.
const (
	codeLen  = 63 // mask of the length
	codeBits = 6  // shift of the bits
)

// put adds one code. Until the next spill only the low six bits of n count.
func (c cursor) put(code uint64) cursor {
	c.bits |= code >> codeBits << (c.n & codeLen)
	c.n += uint(code)
	return c
}

// spill moves whole bytes from bits to out. It stores eight, whatever it has.
func (c cursor) spill(out *buffer) cursor {
	out.put64(c.out, c.bits)
	c.out += int(c.n & codeLen >> 3)
	c.bits >>= c.n & 56
	c.n &= 7
	return c
}

// join is the code of a and then b.
func join(a, b uint64) uint64 {
	n := a & codeLen
	return a&^codeLen | b>>codeBits<<(n+codeBits&63) | (n + b&codeLen)
}

// align fills up the last byte with zero bits.
func (c cursor) align(out *buffer) cursor {
	c.n = (c.n&codeLen + 7) &^ 7
	return c.spill(out)
}
