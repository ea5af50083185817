package csvgz

// lengthOrder is the order of the code length codes in the header of a block.
//
// Source: RFC 1951, section 3.2.7.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// The symbol of the code length alphabet that repeats the previous length, and how
// often it can.
const (
	repeat    = 16
	repeatMin = 3
	repeatMax = 6
)

// block begins a block that is not the final one, and builds its codes from the
// lengths in e.tables. All symbols have codes, so the header needs none of the
// symbols for runs of zeros.
func (c cursor) block(e *Encoder) cursor {
	e.build()
	var lens [numLiterals + numDistances]uint8
	copy(lens[:], e.literalLens[:])
	copy(lens[numLiterals:], e.distanceLens[:])

	var runs [len(lens)]uint8 // symbols; a repeat has its count in the upper bits
	var counts [19]uint32
	n := 0
	for i := 0; i < len(lens); {
		l := lens[i]
		i++
		runs[n] = l
		counts[l]++
		n++
		again := 0
		for i+again < len(lens) && lens[i+again] == l {
			again++
		}
		for again >= repeatMin {
			k := min(again, repeatMax)
			runs[n] = repeat | uint8(k-repeatMin)<<5
			counts[repeat]++
			n++
			again -= k
			i += k
		}
	}

	var lenLens [19]uint8
	var lenCodes [19]uint32
	codeLengths(lenLens[:], counts[:], 7)
	canonical(lenCodes[:], lenLens[:])
	used := len(lengthOrder)
	for used > 4 && lenLens[lengthOrder[used-1]] == 0 {
		used--
	}
	const dynamic = 0b100 // not final, type 2
	c = c.put(dynamic<<codeBits | 3)
	c = c.put((numLiterals-257)<<codeBits | 5).put((numDistances-1)<<codeBits | 5)
	c = c.put(uint64(used-4)<<codeBits | 4).spill(&e.out)
	for _, s := range lengthOrder[:used] {
		c = c.put(uint64(lenLens[s])<<codeBits | 3).spill(&e.out)
	}
	for _, r := range runs[:n] {
		s := r & 31
		c = c.put(uint64(lenCodes[s]))
		if s == repeat {
			c = c.put(uint64(r>>5)<<codeBits | 2)
		}
		c = c.spill(&e.out)
	}
	return c
}

// headerBits is the approximate size of a header.
const headerBits = 120 * 8
