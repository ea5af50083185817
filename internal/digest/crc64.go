package digest

import (
	"hash/crc64"
)

var crcTable = crc64.MakeTable(crc64.ECMA)

// power returns x^n modulo the polynomial.
func power(n int) uint64 { return multiply(xPower8(int64(n/8)), one>>(n%8)) }

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
