package digest

import "hash/crc64"

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

// power is x^n modulo the polynomial.
func power(n int) uint64 { return multiply(xPower8(int64(n/8)), one>>(n%8)) }

func foldCRC64(crc uint64, p []byte) uint64 {
	whole := len(p) &^ (blockSize - 1)
	var rest [16]byte
	foldBlocks(&rest, &foldConstants, ^crc, p[:whole])
	// Update inverts before and after; what it is given here begins with nothing.
	return crc64.Update(crc64.Update(^uint64(0), crcTable, rest[:]), crcTable, p[whole:])
}

// JoinCRC64 is the CRC-64 of two contents joined, of the CRC of each and the
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

// multiply is a*b modulo the polynomial of ECMA-182, reflected.
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

// xPower8 is x^(8n) modulo the polynomial.
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
