package csvgz

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
)

const billion = 1_000_000_000

// number adds v in decimal.
func (c cursor) number(e *Encoder, v int64) cursor {
	c = c.flush(e)
	if v < 0 {
		e.text.put(c.text, '-')
		c.text++
		c = c.put(uint64(e.literal['-'])).spill(&e.out)
		return c.uint(e, -uint64(v))
	}
	return c.uint(e, uint64(v))
}

// uint adds v in decimal. The caller has flushed the match.
func (c cursor) uint(e *Encoder, v uint64) cursor {
	if v >= billion {
		return c.uint(e, v/billion).nine(e, uint32(v%billion))
	}
	// Encode nine digits and drop the leading zeros from the text and from the code,
	// in which each zero has the same length.
	n := uint32(v)
	zeros := 9 - digits(n)
	hi, mid, lo := n/1_000_000&1023, n/1000%1000, n%1000

	t := uint64(tripleText[hi]) | uint64(tripleText[mid])<<24 | uint64(tripleText[lo])<<48
	last := uint64(tripleText[lo]) >> 16
	e.text.put64(c.text, t>>(8*zeros)|last<<(64-8*zeros))
	e.text.put(c.text+8, byte(last))
	c.text += int(9 - zeros)

	code := join(join(uint64(e.triple[hi]), uint64(e.triple[mid])), uint64(e.triple[lo]))
	drop := zeros * e.zeroLen
	c.bits |= code >> codeBits >> (drop & 63) << (c.n & codeLen)
	c.n += uint(code&codeLen) - drop
	return c.spill(&e.out)
}

// nine adds v < 10^9 as nine digits.
func (c cursor) nine(e *Encoder, v uint32) cursor {
	hi, mid, lo := v/1_000_000&1023, v/1000%1000, v%1000
	e.text.put64(c.text, uint64(tripleText[hi])|uint64(tripleText[mid])<<24)
	e.text.put32(c.text+6, tripleText[lo])
	c.text += 9
	return c.put(uint64(e.triple[hi])).put(uint64(e.triple[mid])).put(uint64(e.triple[lo])).spill(&e.out)
}

// checksum adds v in decimal. It is fastest for 19 and 20 digits.
func (c cursor) checksum(e *Encoder, v uint64) cursor {
	c = c.flush(e)
	hi := v / (billion * billion)
	if hi == 0 {
		return c.uint(e, v)
	}
	v -= hi * (billion * billion)
	e.text.put16(c.text, leadText[hi&31])
	c.text += 1 + int(bit(hi >= 10))
	c = c.put(uint64(e.lead[hi&31]))
	c = c.nine(e, uint32(v/billion))
	return c.nine(e, uint32(v%billion))
}

// etag adds an ETag.
func (c cursor) etag(e *Encoder, o *op, tag *stocktake.ETag) cursor {
	if tag.Text != nil {
		return c.delta(e, &o.column, "", tag.Text)
	}
	c = c.flush(e)
	text := e.text.at32(c.text)
	for i := 0; i < len(tag.Sum); i += 4 {
		b0, b1, b2, b3 := tag.Sum[i], tag.Sum[i+1], tag.Sum[i+2], tag.Sum[i+3]
		binary.LittleEndian.PutUint16(text[2*i:], csvrow.HexPairs[b0])
		binary.LittleEndian.PutUint16(text[2*i+2:], csvrow.HexPairs[b1])
		binary.LittleEndian.PutUint16(text[2*i+4:], csvrow.HexPairs[b2])
		binary.LittleEndian.PutUint16(text[2*i+6:], csvrow.HexPairs[b3])
		c = c.put(uint64(e.hex[b0])).put(uint64(e.hex[b1])).put(uint64(e.hex[b2])).put(uint64(e.hex[b3])).spill(&e.out)
	}
	c.text += 32
	if tag.Parts != 0 {
		e.text.put(c.text, '-')
		c.text++
		c = c.put(uint64(e.literal['-'])).spill(&e.out).uint(e, uint64(tag.Parts))
	}
	return c
}

// digits returns the length of n in decimal, at least 1.
func digits(n uint32) uint {
	// 1233/4096 is a little more than log10 of 2.
	d := uint(bits.Len32(n|1)) * 1233 >> 12
	if n >= powers[d&15] {
		d++
	}
	return max(d, 1)
}

var powers = [16]uint32{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

func appendUint(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 10) }

func appendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }
