package inflate

import "math/bits"

// Tables decode the codes of a block: the next bits of the input are the index of
// an entry. A code that is longer than the index of the main table continues in a
// second table, to which the entry of the main table points.
const (
	literalBits = 12
	literalSub  = maxCodeLen - literalBits
	// A second table has at least two codes, so there are at most half as many of
	// them as symbols.
	literalSize = 1<<literalBits + maxLiterals/2<<literalSub

	distanceBits = 10
	distanceSub  = maxCodeLen - distanceBits
	distanceSize = 1<<distanceBits + maxDistances/2<<distanceSub
)

// The alphabets of DEFLATE.
//
// Source: RFC 1951, sections 3.2.5 to 3.2.7.
const (
	maxCodeLen   = 15
	maxLiterals  = 288 // literals, end of block and lengths; the last two are invalid
	maxDistances = 32  // the last two are invalid
	endOfBlock   = 256
)

// An entry describes the next bits of the input.
//
//	bits 0-4   how many bits to consume, including extra bits after the code
//	bits 5-6   number of literals, up to 3
//	bit 7      neither literals nor a length or distance
//
// Literals are in bits 8 to 31, the first lowest. A length or a distance has the
// number of bits of its code in bits 8 to 11, and its least value from bit 12 on.
// Other entries have their kind in bits 8 and 9; for a second table, its index is
// from bit 12 on.
type entry uint32

const (
	kindShift  = 8
	otherKind  = 1 << 7
	illegal    = entry(otherKind | 0<<kindShift)
	blockEnd   = entry(otherKind | 1<<kindShift)
	continues  = entry(otherKind | 2<<kindShift)
	kindMask   = 3 << kindShift
	payload    = 12
	countShift = 5
)

func (e entry) bits() uint     { return uint(e & 31) }
func (e entry) literals() uint { return uint(e >> countShift & 3) }
func (e entry) other() bool    { return e&otherKind != 0 }
func (e entry) kind() entry    { return e & kindMask }

// value returns the length or the distance whose code b begins with.
func (e entry) value(b uint64) int {
	extra := b & (1<<(e.bits()&63) - 1) >> (e >> kindShift & 15)
	return int(uint64(e>>payload) + extra)
}

// symbols has the entry of each symbol, without the length of its code.
var literalSymbols, distanceSymbols = func() (l [maxLiterals]entry, d [maxDistances]entry) {
	for i := range 256 {
		l[i] = entry(i)<<kindShift | 1<<countShift
	}
	l[endOfBlock] = blockEnd
	for i := range 29 {
		base, extra := i+3, 0
		if i >= 8 && i < 28 {
			extra = i/4 - 1
			base = (4+i%4)<<extra + 3
		}
		if i == 28 {
			base = 258
		}
		l[257+i] = entry(base)<<payload | entry(extra)
	}
	l[286], l[287] = illegal, illegal
	for i := range 30 {
		base, extra := i+1, 0
		if i >= 4 {
			extra = i/2 - 1
			base = (2+i%2)<<extra + 1
		}
		d[i] = entry(base)<<payload | entry(extra)
	}
	d[30], d[31] = illegal, illegal
	return l, d
}()

// withCode returns the entry of a symbol whose code has n bits.
func (e entry) withCode(n uint) entry {
	if e.other() || e.literals() > 0 {
		return e + entry(n)
	}
	return e + entry(n) + entry(n)<<kindShift
}

// build fills a table, whose main part has 1<<width entries, with the canonical
// code of the given lengths; a length of 0 means that a symbol has no code. It
// returns false if the lengths are not a valid code. As in compress/flate, a code
// may be empty, or have one symbol with one bit; any other must be complete.
func build(table []entry, width uint, symbols []entry, lens []uint8) bool {
	var counts [maxCodeLen + 1]int
	for _, n := range lens {
		counts[n]++
	}
	counts[0] = 0
	longest := maxCodeLen
	for longest > 0 && counts[longest] == 0 {
		longest--
	}
	var next [maxCodeLen + 1]int
	code := 0
	for n := 1; n <= longest; n++ {
		code = (code + counts[n-1]) << 1
		next[n] = code
	}
	if code += counts[longest]; longest > 0 && code != 1<<longest && !(code == 1 && longest == 1) {
		return false
	}
	main := table[:1<<width]
	main[0] = illegal
	for n := 1; n < len(main); n *= 2 {
		copy(main[n:], main[:n])
	}
	subs := len(main) // index of the next second table
	for s, l := range lens {
		if l == 0 {
			continue
		}
		n := uint(l)
		reversed := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		e := symbols[s].withCode(n)
		if n <= width {
			for i := reversed; i < len(main); i += 1 << n {
				main[i] = e
			}
			continue
		}
		at := &main[reversed&(len(main)-1)]
		if *at == illegal { // the first code with these bits
			*at = continues | entry(subs)<<payload
			subs += 1 << (maxCodeLen - width)
		}
		sub := table[*at>>payload:][:1<<(maxCodeLen-width)]
		for i := reversed >> width; i < len(sub); i += 1 << (n - width) {
			sub[i] = e
		}
	}
	return true
}

// combine fills a table with up to three literals per entry, from one with at most
// one.
func combine(table, single *[1 << literalBits]entry) {
	for i, e := range single {
		n := e.bits()
		for e.literals() > 0 && e.literals() < 3 {
			next := single[i>>n]
			if next.literals() == 0 || n+next.bits() > literalBits {
				break
			}
			// Add the bits and the counts, and put the literal after the others.
			e += next&(1<<kindShift-1) + next>>kindShift<<(kindShift+8*e.literals())
			n += next.bits()
		}
		table[i] = e
	}
}
