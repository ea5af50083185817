package csvgz

import (
	"math/bits"

	"github.com/stocktake/stocktake/internal/csvrow"
)

// nearDistance is the greatest distance whose complete code is in a table.
const nearDistance = 1024

// tables holds a pair of Huffman codes and the ready codes of longer texts.
type tables struct {
	literalLens  [numLiterals]uint8
	distanceLens [numDistances]uint8

	literal  [numLiterals]uint32      // codes of single symbols
	distance [numDistances]uint32     // without the extra bits
	length   [512]uint32              // of match lengths, extra bits included
	near     [2 * nearDistance]uint32 // of distances up to nearDistance, extra bits included

	escape  [256]uint32  // bytes of a key, percent-encoded, with several set
	quote   [256]uint32  // bytes of other text, with several set
	hex     [256]uint32  // a byte as two digits
	lead    [32]uint32   // 0 to 31 without a leading zero
	pair    [128]uint32  // two decimal digits
	dash    [128]uint32  // two decimal digits and a dash
	triple  [1024]uint32 // three decimal digits
	zeroLen uint         // bits of the digit 0
}

// build builds all tables from the two lists of code lengths.
func (t *tables) build() {
	canonical(t.literal[:], t.literalLens[:])
	canonical(t.distance[:], t.distanceLens[:])
	for n := minMatch; n <= maxMatch; n++ {
		s, extra, val := lengthSymbol(n)
		t.length[n] = uint32(join(uint64(t.literal[s]), uint64(val)<<codeBits|uint64(extra)))
	}
	for d := 1; d <= nearDistance; d++ {
		t.near[d] = uint32(t.far(d))
	}
	for c := range 256 {
		t.escape[c] = t.text(escaped[c])
		t.quote[c] = t.text(quoted[c])
	}
	for c := range t.hex {
		t.hex[c] = uint32(join(t.symbol(csvrow.UpperHex[c>>4]), t.symbol(csvrow.UpperHex[c&15])))
	}
	for n := range 100 {
		p := join(t.symbol('0'+byte(n/10)), t.symbol('0'+byte(n%10)))
		t.pair[n] = uint32(p)
		t.dash[n] = uint32(join(p, t.symbol('-')))
	}
	for n := range 1000 {
		t.triple[n] = uint32(join(uint64(t.pair[n/10]), t.symbol('0'+byte(n%10))))
	}
	copy(t.lead[:], t.pair[:])
	for n := range 10 {
		t.lead[n] = t.literal['0'+n]
	}
	t.zeroLen = uint(t.literal['0'] & codeLen)
}

func (t *tables) symbol(c byte) uint64 { return uint64(t.literal[c]) }

// several is set in the code of a byte that is encoded as several bytes.
const several = 1 << 31

// text returns the code of an entry of csvrow.Escapes or csvrow.Quotes.
func (t *tables) text(s uint32) uint32 {
	code := t.symbol(byte(s))
	if s>>24 == 1 {
		return uint32(code)
	}
	for range s>>24 - 1 {
		s >>= 8
		code = join(code, t.symbol(byte(s)))
	}
	return uint32(code) | several
}

// far returns the code of a distance of 1 to 32768, extra bits included.
func (t *tables) far(d int) uint64 {
	s, extra, val := distanceSymbol(d)
	return join(uint64(t.distance[s]), uint64(val)<<codeBits|uint64(extra))
}

// lengthSymbol returns the symbol of a match length of 3 to 258, the number of its
// extra bits and their value.
//
// Source: RFC 1951, section 3.2.5.
func lengthSymbol(n int) (symbol int, extra, val uint) {
	if n == maxMatch {
		return 285, 0, 0
	}
	x := uint(n - minMatch)
	if x < 8 {
		return 257 + int(x), 0, 0
	}
	// Four symbols for each power of two.
	extra = uint(bits.Len(x)) - 3
	return 257 + int(4*extra+x>>extra), extra, x & (1<<extra - 1)
}

// distanceSymbol does the same for a distance of 1 to 32768: two symbols for each
// power of two.
func distanceSymbol(d int) (symbol int, extra, val uint) {
	x := uint(d - 1)
	if x < 4 {
		return int(x), 0, 0
	}
	extra = uint(bits.Len(x)) - 2
	return int(2*extra + x>>extra), extra, x & (1<<extra - 1)
}
