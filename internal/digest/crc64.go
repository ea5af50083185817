package digest

import (
	"encoding/binary"
	"hash/crc64"
)

var crcTable = crc64.MakeTable(crc64.ECMA)

// UpdateCRC64 adds p to crc, which is 0 for nothing. The polynomial is that of
// ECMA-182, as in hash/crc64.
//
// Source: OSS API reference, x-oss-hash-crc64ecma.
func UpdateCRC64(crc uint64, p []byte) uint64 {
	if foldable && len(p) >= foldLeast {
		return foldCRC64(crc, p)
	}
	return strandsCRC64(crc, p)
}

// foldLeast is the fewest bytes that folding is worth it for: it ends with 16 by
// the table.
const foldLeast = 2 * blockSize

// foldConstants are the powers of x that foldBlocks multiplies by, less one,
// because a product of reflected polynomials comes out too high by x. An
// accumulator's first half has the higher powers.
var foldConstants = [4]uint64{power(64*8 + 63), power(64*8 - 1), power(16*8 + 63), power(16*8 - 1)}

// power returns x^n modulo the polynomial.
func power(n int) uint64 { return multiply(xPower8(int64(n/8)), one>>(n%8)) }

func foldCRC64(crc uint64, p []byte) uint64 {
	whole := len(p) &^ (blockSize - 1)
	var rest [16]byte
	foldBlocks(&rest, &foldConstants, ^crc, p[:whole])
	// Update inverts before and after; what it is given here begins with nothing.
	return crc64.Update(crc64.Update(^uint64(0), crcTable, rest[:]), crcTable, p[whole:])
}

// JoinCRC64 returns the CRC-64 of two contents joined, from the CRC of each and the
// length of the second in bytes.
//
// A CRC without its inversions is a remainder of polynomials over GF(2), so
// appending n bytes of 0 multiplies it by x^8n, and the CRCs of the parts add
// up (the inversions cancel out).
func JoinCRC64(first, second uint64, n int64) uint64 {
	return multiply(first, xPower8(n)) ^ second
}

// one is the polynomial 1: in the reflected form the highest bit is x^0.
const one = uint64(1) << 63

// multiply returns a*b modulo the polynomial of ECMA-182, reflected.
func multiply(a, b uint64) (product uint64) {
	for ; b != 0; b <<= 1 {
		if b&one != 0 {
			product ^= a
		}
		carry := a & 1
		a = a>>1 ^ crc64.ECMA*carry
	}
	return product
}

// xPower8 returns x^(8n) modulo the polynomial.
func xPower8(n int64) uint64 {
	power, square := one, one>>8 // x^8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			power = multiply(power, square)
		}
		square = multiply(square, square)
	}
	return power
}

// crcStrand is how many bytes each of the strands of strandsCRC64 takes at once.
// Joining strands costs as much as some 100 bytes.
const crcStrand = 8 << 10

var (
	// crcTables[i][b] is the CRC, without inversions, of b and i zero bytes.
	crcTables = func() (t [8][256]uint64) {
		t[0] = *crcTable
		for i := range t[0] {
			for k := 1; k < len(t); k++ {
				before := t[k-1][i]
				t[k][i] = t[0][byte(before)] ^ before>>8
			}
		}
		return t
	}()
	crcPower = xPower8(crcStrand)
)

// strandsCRC64 implements UpdateCRC64 in plain Go. A CRC has to wait for that
// of the bytes before, so long input is taken in three strands side by side,
// which are joined: twice as fast.
func strandsCRC64(crc uint64, p []byte) uint64 {
	t := &crcTables
	for len(p) >= 3*crcStrand {
		a, b, c := p[:crcStrand], p[crcStrand:2*crcStrand], p[2*crcStrand:3*crcStrand]
		x, y, z := ^crc, ^uint64(0), ^uint64(0)
		for len(a) >= 8 && len(b) >= 8 && len(c) >= 8 {
			x ^= binary.LittleEndian.Uint64(a)
			y ^= binary.LittleEndian.Uint64(b)
			z ^= binary.LittleEndian.Uint64(c)
			x = t[7][byte(x)] ^ t[6][byte(x>>8)] ^ t[5][byte(x>>16)] ^ t[4][byte(x>>24)] ^
				t[3][byte(x>>32)] ^ t[2][byte(x>>40)] ^ t[1][byte(x>>48)] ^ t[0][x>>56]
			y = t[7][byte(y)] ^ t[6][byte(y>>8)] ^ t[5][byte(y>>16)] ^ t[4][byte(y>>24)] ^
				t[3][byte(y>>32)] ^ t[2][byte(y>>40)] ^ t[1][byte(y>>48)] ^ t[0][y>>56]
			z = t[7][byte(z)] ^ t[6][byte(z>>8)] ^ t[5][byte(z>>16)] ^ t[4][byte(z>>24)] ^
				t[3][byte(z>>32)] ^ t[2][byte(z>>40)] ^ t[1][byte(z>>48)] ^ t[0][z>>56]
			a, b, c = a[8:], b[8:], c[8:]
		}
		crc = multiply(^x, crcPower) ^ ^y
		crc = multiply(crc, crcPower) ^ ^z
		p = p[3*crcStrand:]
	}
	return crc64.Update(crc, crcTable, p)
}
