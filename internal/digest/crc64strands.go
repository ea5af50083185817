package digest

import (
	"encoding/binary"
	"hash/crc64"
)

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

// strandsCRC64 is UpdateCRC64 in plain Go. A CRC has to wait for that
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
