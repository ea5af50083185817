package inflate

import "io"

// take consumes n bits, at most 16. ok is false if the input has fewer bits.
func (r *Reader) take(n uint) (v uint64, ok bool) {
	for r.n < n {
		if r.pos == r.end {
			if r.fill(); r.pos == r.end {
				return 0, false
			}
		}
		r.bits |= uint64(r.in[r.pos]) << r.n
		r.pos++
		r.n += 8
	}
	v = r.bits & (1<<n - 1)
	r.bits >>= n
	r.n -= n
	return v, true
}

// block reads the header of the next block, unless the last block was final.
func (r *Reader) block() error {
	if r.final {
		r.final = false
		r.bits, r.n = 0, 0
		if r.gzip.is {
			r.state = atTrailer
			return nil
		}
		return io.EOF
	}
	head, ok := r.take(3)
	if !ok {
		return r.ended()
	}
	r.final = head&1 != 0
	switch head >> 1 {
	case 0:
		return r.storedHeader()
	case 1:
		r.fixed()
		return nil
	case 2:
		return r.dynamic()
	}
	return r.corrupt()
}

// storedHeader reads the length of a stored block.
func (r *Reader) storedHeader() error {
	r.bits, r.n = 0, 0 // align to the next byte
	n, ok := r.take(16)
	if !ok {
		return r.ended()
	}
	inverted, ok := r.take(16)
	if !ok {
		return r.ended()
	}
	if n^inverted != 0xffff {
		return r.corrupt()
	}
	r.left, r.state = int(n), inStored
	return nil
}

// stored copies the rest of a stored block, as far as there is space.
func (r *Reader) stored() error {
	for r.left > 0 {
		if r.w == outSize {
			return nil
		}
		if r.pos == r.end {
			if r.fill(); r.pos == r.end {
				return r.ended()
			}
		}
		n := copy(r.out[r.w:outSize], r.in[r.pos:min(r.end, r.pos+r.left)])
		r.w, r.pos, r.left = r.w+n, r.pos+n, r.left-n
	}
	r.state = atBlock
	return nil
}

// fixed begins a block with the fixed codes.
//
// Source: RFC 1951, section 3.2.6.
func (r *Reader) fixed() {
	build(r.single[:], literalBits, literalSymbols[:], fixedLens[:maxLiterals])
	build(r.dist[:], distanceBits, distanceSymbols[:], fixedLens[maxLiterals:])
	r.filled, r.state = false, inCodes
}

var fixedLens = func() (lens [maxLiterals + maxDistances]uint8) {
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		case i < maxLiterals:
			lens[i] = 8
		default:
			lens[i] = 5
		}
	}
	return lens
}()

// lengthOrder is the order of the lengths of the codes for code lengths.
//
// Source: RFC 1951, section 3.2.7.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// The symbols of code lengths beyond the lengths themselves.
const (
	repeatLast  = 16 // the last length 3 to 6 times
	repeatZero  = 17 // a zero 3 to 10 times
	repeatZeros = 18 // a zero 11 to 138 times

	lengthBits = 7 // of the longest code
)

var lengthSymbols = func() (s [len(lengthOrder)]entry) {
	for i := range s {
		s[i] = entry(i)<<kindShift | 1<<countShift // a literal
	}
	return s
}()

// dynamic reads the codes of a block.
//
// Source: RFC 1951, section 3.2.7.
func (r *Reader) dynamic() error {
	head, ok := r.take(14)
	if !ok {
		return r.ended()
	}
	literals, distances, used := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if literals > maxLiterals-2 || distances > maxDistances-2 {
		return r.corrupt()
	}
	var lenLens [len(lengthOrder)]uint8
	for _, s := range lengthOrder[:used] {
		n, ok := r.take(3)
		if !ok {
			return r.ended()
		}
		lenLens[s] = uint8(n)
	}
	var table [1 << lengthBits]entry
	if lenLens == [len(lengthOrder)]uint8{} || !build(table[:], lengthBits, lengthSymbols[:], lenLens[:]) {
		return r.corrupt() // there are at least 258 lengths to come, so their code has a symbol
	}
	var lens [maxLiterals + maxDistances]uint8
	all := lens[:literals+distances]
	for i := 0; i < len(all); {
		s, err := r.length(&table)
		if err != nil {
			return err
		}
		if s < repeatLast {
			all[i] = s
			i++
			continue
		}
		least, extra, what := 3, uint(2), uint8(0)
		switch s {
		case repeatLast:
			if i == 0 {
				return r.corrupt()
			}
			what = all[i-1]
		case repeatZero:
			extra = 3
		case repeatZeros:
			least, extra = 11, 7
		}
		more, ok := r.take(extra)
		if !ok {
			return r.ended()
		}
		n := least + int(more)
		if n > len(all)-i {
			return r.corrupt()
		}
		for range n {
			all[i] = what
			i++
		}
	}
	if !build(r.single[:], literalBits, literalSymbols[:], all[:literals]) ||
		!build(r.dist[:], distanceBits, distanceSymbols[:], all[literals:]) {
		return r.corrupt()
	}
	r.filled, r.state = false, inCodes
	return nil
}

// length reads a symbol of code lengths.
func (r *Reader) length(table *[1 << lengthBits]entry) (uint8, error) {
	for {
		e := table[r.bits&(1<<lengthBits-1)]
		if e.other() {
			if r.n > 0 { // a code that is not complete has at most one symbol, of one bit
				return 0, r.corrupt()
			}
		} else if e.bits() <= r.n {
			r.bits >>= e.bits()
			r.n -= e.bits()
			return uint8(e >> kindShift), nil
		}
		if r.pos == r.end {
			if r.fill(); r.pos == r.end {
				return 0, r.ended()
			}
		}
		r.bits |= uint64(r.in[r.pos]) << r.n
		r.pos++
		r.n += 8
	}
}
