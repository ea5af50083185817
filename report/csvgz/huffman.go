package csvgz

import (
	"cmp"
	"math/bits"
	"slices"
)

// The alphabets of DEFLATE.
//
// Source: RFC 1951, section 3.2.5.
const (
	numLiterals  = 286 // literals, end of block, lengths
	numDistances = 30
	endOfBlock   = 256
	maxCode      = 14 // bits of a code, so that four literals fit into one step; DEFLATE has 15

	minMatch  = 3
	maxMatch  = 258
	maxWindow = 32768
)

// A limit bounds the length of the codes of some literals, so that a known number
// of them fits into one step.
type limit struct {
	literals string
	bits     uint8
}

// codeLengths sets lens to the code lengths of a Huffman code for counts, with at
// most most bits. Symbols with a count of 0 have no code. If only one symbol has
// a count, its code has one bit.
func codeLengths(lens []uint8, counts []uint32, most uint8) {
	type symbol struct {
		count uint32
		s     uint16
	}
	var buf [numLiterals]symbol
	symbols := buf[:0]
	clear(lens)
	for s, n := range counts {
		if n > 0 {
			symbols = append(symbols, symbol{n, uint16(s)})
		}
	}
	if len(symbols) == 1 {
		lens[symbols[0].s] = 1
		return
	}
	slices.SortFunc(symbols, func(a, b symbol) int {
		return cmp.Or(cmp.Compare(a.count, b.count), cmp.Compare(b.s, a.s))
	})

	// There are two ascending queues: of symbols, and of sums of two elements from
	// either queue. The parent of an element is an index of sums.
	var sums [numLiterals]uint64
	var parent [2 * numLiterals]uint16 // first of the symbols, then of the sums
	leaf, sum := 0, 0
	for next := range len(symbols) - 1 {
		for range 2 {
			if sum == next || leaf < len(symbols) && uint64(symbols[leaf].count) <= sums[sum] {
				sums[next] += uint64(symbols[leaf].count)
				parent[leaf] = uint16(next)
				leaf++
			} else {
				sums[next] += sums[sum]
				parent[numLiterals+sum] = uint16(next)
				sum++
			}
		}
	}

	// Count the symbols at each depth. Depths are assigned by count in the end, so
	// only their number matters. Symbols that are too deep move up to the limit.
	// To make room for them in the code space, a symbol at the limit becomes the
	// sibling of one higher up, which moves down by one level.
	var at [64]int
	var depth [numLiterals]uint8
	for i := len(symbols) - 3; i >= 0; i-- {
		depth[i] = depth[parent[numLiterals+i]] + 1
	}
	space := 0 // in codes of most bits
	for i := range symbols {
		d := min(depth[parent[i]]+1, most)
		at[d]++
		space += 1 << (most - d)
	}
	for ; space > 1<<most; space-- {
		d := most - 1
		for at[d] == 0 {
			d--
		}
		at[d]--
		at[d+1] += 2
		at[most]--
	}
	i := 0
	for d := most; d > 0; d-- {
		for range at[d] {
			lens[symbols[i].s] = d
			i++
		}
	}
}

// fit sets lens to code lengths for counts, within limits. Symbols with a count of
// 0 have codes, too.
func fit(lens []uint8, counts []uint32, limits []limit) {
	var buf [numLiterals]uint32
	weights := buf[:len(counts)]
	var total uint32
	for s, n := range counts {
		weights[s] = 32*min(n, 1<<17) + 1
		total += weights[s]
	}
	// A code of n bits should have a weight of the total divided by 2^n, so the first
	// attempt usually succeeds.
	for _, l := range limits {
		for i := range len(l.literals) {
			s := l.literals[i]
			weights[s] = max(weights[s], total>>l.bits)
		}
	}
	for {
		codeLengths(lens, weights, maxCode)
		ok := true
		for _, l := range limits {
			for i := range len(l.literals) {
				if s := l.literals[i]; lens[s] > l.bits {
					weights[s] += weights[s]/4 + 1
					ok = false
				}
			}
		}
		if ok {
			return
		}
	}
}

// canonical sets codes to the canonical codes for lens, in the form that cursor.put
// takes; 0 for a symbol without a code.
//
// Source: RFC 1951, section 3.2.2.
func canonical(codes []uint32, lens []uint8) {
	var next [maxCode + 2]uint32
	for _, l := range lens {
		next[l+1]++
	}
	next[1] = 0
	for l := 1; l <= maxCode; l++ {
		next[l+1] = (next[l+1] + next[l]) << 1
	}
	for s, l := range lens {
		codes[s] = 0
		if l > 0 {
			codes[s] = bits.Reverse32(next[l])>>(32-l)<<codeBits | uint32(l)
			next[l]++
		}
	}
}
