package store

import "hash/crc64"

var crcTable = crc64.MakeTable(crc64.ECMA)

// joinCRC64 is the CRC-64 of two contents joined, of the CRC of each and the
// length of the second in bytes.
//
// A CRC without its inversions is a remainder of polynomials over GF(2), so
// appending n bytes of 0 multiplies it by x^8n, and the CRCs of the parts add
// up (the inversions cancel out).
func joinCRC64(first, second uint64, n int64) uint64 {
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
