package csvgz

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/stocktake/stocktake/report/format"
)

// A Checksum is the CRC-32 of the rows of a piece, the Detail of its
// [format.Piece]. The zero value is the checksum of no rows.
type Checksum uint32

// Update returns the checksum of the content of c followed by p.
func (c Checksum) Update(p []byte) Checksum {
	return Checksum(crc32.Update(uint32(c), crc32.IEEETable, p))
}

// A joiner joins pieces to one gzip member: header, pieces, a final empty block,
// trailer. It is a [format.Joiner].
type joiner struct {
	w    io.Writer
	crc  uint32
	size int64 // bytes of the rows
}

// gzipHeader is ID1, ID2, deflate, no flags, no time, fastest, unknown system.
//
// Source: RFC 1952, section 2.3.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"

// finalBlock is an empty block of fixed codes: final, type 1, end of block.
const finalBlock = "\x03\x00"

// Describe implements [format.Joiner]. CSV has no place for the origin.
func (j *joiner) Describe(format.Origin) {}

func (j *joiner) Begin(w io.Writer) error {
	j.w, j.crc, j.size = w, 0, 0
	return j.write([]byte(gzipHeader))
}

func (j *joiner) Add(p format.Piece) error {
	crc, ok := p.Detail.(Checksum)
	if !ok {
		return fmt.Errorf("csvgz: a piece of another format, with detail %T", p.Detail)
	}
	j.crc = combineCRC32(j.crc, uint32(crc), p.Size)
	j.size += p.Size
	return nil
}

func (j *joiner) End() error {
	b := []byte(finalBlock)
	b = binary.LittleEndian.AppendUint32(b, j.crc)
	b = binary.LittleEndian.AppendUint32(b, uint32(j.size)) // modulo 2^32
	return j.write(b)
}

func (j *joiner) write(b []byte) error {
	n, err := j.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// combineCRC32 returns the CRC-32 of the concatenation of two contents, from the
// CRC-32 of each and the length of the second in bytes.
//
// A CRC without its inversions is a remainder of polynomials over GF(2), so
// appending n bytes of 0 multiplies it by x^8n, and the CRCs of the parts add
// up; the inversions cancel out. Polynomials are reflected: the highest bit is
// x^0.
func combineCRC32(first, second uint32, n int64) uint32 {
	return multiply(first, power8(n)) ^ second
}

// multiply returns a*b modulo the polynomial of gzip.
func multiply(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		product ^= b & -(a >> 31)
		b = b>>1 ^ crc32.IEEE&-(b&1)
	}
	return product
}

// power8 returns x^(8n) modulo the polynomial.
func power8(n int64) uint32 {
	power, square := uint32(1<<31), uint32(1<<(31-8)) // x^0, x^8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			power = multiply(power, square)
		}
		square = multiply(square, square)
	}
	return power
}
