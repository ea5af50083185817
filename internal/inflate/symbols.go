package inflate

import "encoding/binary"

// codes are the tables of the current block.
type codes struct {
	single  [literalSize]entry      // at most one literal an entry
	several [1 << literalBits]entry // up to three; filled once the block has proved long
	filled  bool
	dist    [distanceSize]entry
}

const (
	// maxLookups is how many entries of literals are used between two refills.
	maxLookups = 4
	// copyStep is how many bytes of a match are copied at once.
	copyStep = 16
	// longBlock is the output, in bytes, after which it pays to combine literals.
	// That takes as long as decoding some thousand symbols.
	longBlock = 4 << 10
	// fewLiterals is the output per byte of input from which on most of the output are
	// matches, and it does not pay.
	fewLiterals = 8
)

// symbols decodes symbols until the block ends or out is full.
func (r *Reader) symbols() error {
	for r.w <= outSize-maxMatch {
		r.fill()
		var end stop
		if r.end-r.pos < inSlack {
			end = r.last()
		} else if r.filled {
			end = r.many(&r.several, outSize-maxMatch)
		} else {
			until, from := r.w+longBlock, r.before+int64(r.pos)
			end = r.many((*[1 << literalBits]entry)(r.single[:]), min(until, outSize-maxMatch))
			if end == stopSpace && fewLiterals*(r.before+int64(r.pos)-from) > longBlock {
				combine(&r.several, (*[1 << literalBits]entry)(r.single[:]))
				r.filled = true
			}
		}
		switch end {
		case stopBlock:
			r.state = atBlock
			return nil
		case stopCorrupt:
			return r.corrupt()
		case stopInput:
			if r.srcErr != nil && r.pos == r.end {
				return r.ended()
			}
		}
	}
	return nil
}

// A stop is the reason why decoding of symbols stopped.
type stop uint8

const (
	stopInput   stop = iota // needs more input
	stopSpace               // needs more space
	stopBlock               // the block has ended
	stopCorrupt             // the input is not DEFLATE
)

func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8 : i+8]) }

// many decodes symbols while in has inSlack bytes and out is filled to less than
// limit.
func (r *Reader) many(table *[1 << literalBits]entry, limit int) stop {
	in, pos, bits, n := r.in, r.pos, r.bits, r.n
	out, w, base := r.out, r.w, r.base
	last := r.end - inSlack
	end := stopInput
	for pos <= last {
		if w > limit {
			end = stopSpace
			break
		}
		// Fill bits to at least 56. The bits of a byte that fits only in part are added
		// now, and the same bits are added again by the next refill.
		bits |= load64(in, pos) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56

		e := table[bits&(1<<literalBits-1)]
		if e.literals() > 0 {
			binary.LittleEndian.PutUint32(out[w:w+4:w+4], uint32(e>>kindShift))
			w += int(e.literals())
			bits >>= e.bits()
			n -= e.bits()
			e = table[bits&(1<<literalBits-1)]
			if e.literals() > 0 {
				binary.LittleEndian.PutUint32(out[w:w+4:w+4], uint32(e>>kindShift))
				w += int(e.literals())
				bits >>= e.bits()
				n -= e.bits()
				e = table[bits&(1<<literalBits-1)]
				if e.literals() > 0 {
					binary.LittleEndian.PutUint32(out[w:w+4:w+4], uint32(e>>kindShift))
					w += int(e.literals())
					bits >>= e.bits()
					n -= e.bits()
					e = table[bits&(1<<literalBits-1)]
					if e.literals() > 0 {
						binary.LittleEndian.PutUint32(out[w:w+4:w+4], uint32(e>>kindShift))
						w += int(e.literals())
						bits >>= e.bits()
						n -= e.bits()
						continue
					}
				}
			}
		}
		// At least 20 bits are there: a code of 15 and 5 extra bits.
		if e.other() {
			if e.kind() == continues.kind() {
				e = r.single[int(e>>payload)+int(bits>>literalBits&(1<<literalSub-1))]
			}
			if e.literals() > 0 {
				out[w] = byte(e >> kindShift)
				w++
				bits >>= e.bits()
				n -= e.bits()
				continue
			}
			if e.other() {
				if e.kind() == blockEnd.kind() {
					bits >>= e.bits()
					n -= e.bits()
					end = stopBlock
				} else {
					end = stopCorrupt
				}
				break
			}
		}
		length := e.value(bits)
		bits >>= e.bits()
		n -= e.bits()

		bits |= load64(in, pos) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56
		e = r.dist[bits&(1<<distanceBits-1)]
		if e.other() {
			if e.kind() == continues.kind() {
				e = r.dist[int(e>>payload)+int(bits>>distanceBits&(1<<distanceSub-1))]
			}
			if e.other() {
				end = stopCorrupt
				break
			}
		}
		distance := e.value(bits)
		bits >>= e.bits()
		n -= e.bits()
		if distance > w-base {
			end = stopCorrupt
			break
		}
		if distance >= copyStep {
			for to := w; to < w+length; to += copyStep {
				*(*[copyStep]byte)(out[to : to+copyStep : to+copyStep]) = *(*[copyStep]byte)(out[to-distance : to-distance+copyStep : to-distance+copyStep])
			}
		} else {
			for to := w; to < w+length; to++ {
				out[to] = out[to-distance]
			}
		}
		w += length
	}
	r.w = w
	r.pos, r.bits, r.n = pos, bits, n
	r.rewind()
	return end
}

// rewind returns the whole bytes of bits to the input.
func (r *Reader) rewind() {
	r.pos -= int(r.n >> 3)
	r.n &= 7
	r.bits &= 1<<r.n - 1
}

// last decodes symbols at the end of the input, where the index of the table and
// the extra bits may extend beyond the input, into zeros.
func (r *Reader) last() (end stop) {
	defer r.rewind()
	for r.w <= outSize-maxMatch {
		bits, n, pos := r.bits, r.n, r.pos
		refill := func() {
			bits |= load64(r.in, pos) << (n & 63)
			pos += int((63 - n) >> 3)
			n |= 56
		}
		consume := func(e entry) bool {
			bits >>= e.bits()
			n -= e.bits()
			return 8*pos-int(n) <= 8*r.end
		}
		refill()
		e := r.single[bits&(1<<literalBits-1)]
		if e.other() && e.kind() == continues.kind() {
			e = r.single[int(e>>payload)+int(bits>>literalBits&(1<<literalSub-1))]
		}
		length := e.value(bits)
		if !consume(e) {
			return r.cut()
		}
		if e.literals() > 0 {
			r.out[r.w] = byte(e >> kindShift)
			r.w++
			r.bits, r.n, r.pos = bits, n, pos
			continue
		}
		if e.other() {
			if e.kind() != blockEnd.kind() {
				return stopCorrupt
			}
			r.bits, r.n, r.pos = bits, n, pos
			return stopBlock
		}
		refill()
		e = r.dist[bits&(1<<distanceBits-1)]
		if e.other() && e.kind() == continues.kind() {
			e = r.dist[int(e>>payload)+int(bits>>distanceBits&(1<<distanceSub-1))]
		}
		distance := e.value(bits)
		switch {
		case !consume(e):
			return r.cut()
		case e.other() || distance > r.w-r.base:
			return stopCorrupt
		}
		r.bits, r.n, r.pos = bits, n, pos
		for end := r.w + length; r.w < end; r.w++ {
			r.out[r.w] = r.out[r.w-distance]
		}
	}
	return stopSpace
}

// cut records that the input ends within a symbol.
func (r *Reader) cut() stop {
	r.pos, r.bits, r.n = r.end, 0, 0
	return stopInput
}
