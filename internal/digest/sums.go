package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc64"
)

const blockSize = 64 // of MD5 and of SHA-256, in bytes

// A state is the state of an MD5 (4 words) and of a SHA-256 (8 words).
type state = [4 + 8]uint32

// start is the state of an empty stream.
//
// Source: RFC 1321, 3.3; FIPS 180-4, 5.3.3.
var start = state{
	0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// Sums are the MD5 and the SHA-256 of a stream. The zero value is ready. It is
// not safe for concurrent use.
type Sums struct {
	MD5Only bool // leave out the SHA-256, which is then all zeros; set before the first Write

	state state
	tail  [blockSize]byte // the last bytes, which do not fill a block
	size  uint64

	parts [2]hash.Hash // replaces all of the above if there is no assembly
}

// Reset begins a new stream.
func (s *Sums) Reset() {
	s.size, s.state = 0, start
	if fast {
		return
	}
	if s.parts[0] == nil {
		s.parts = [2]hash.Hash{md5.New(), sha256.New()}
	}
	for _, h := range s.parts {
		h.Reset()
	}
}

// Write adds p to the stream. It never fails.
func (s *Sums) Write(p []byte) (int, error) {
	n := len(p)
	p = s.begin(p)
	s.blocks(p)
	s.end(p)
	return n, nil
}

// begin completes the pending block with p, if p has enough bytes, and returns the
// rest of p: whole blocks and the new tail.
func (s *Sums) begin(p []byte) []byte {
	if s.size == 0 {
		s.Reset()
	}
	filled := int(s.size % blockSize)
	s.size += uint64(len(p))
	if !fast {
		s.parts[0].Write(p)
		if !s.MD5Only {
			s.parts[1].Write(p)
		}
		return nil
	}
	if filled == 0 {
		return p
	}
	n := copy(s.tail[filled:], p)
	if filled+n == blockSize {
		s.blocks(s.tail[:])
	}
	return p[n:]
}

// blocks adds the whole blocks in p.
func (s *Sums) blocks(p []byte) {
	switch n := len(p) / blockSize; {
	case n == 0:
	case s.MD5Only:
		md5Blocks1(&s.state, &p[0], n)
	default:
		sumBlocks1(&s.state, &p[0], n)
	}
}

// end keeps the bytes after the whole blocks in p.
func (s *Sums) end(p []byte) { copy(s.tail[:], p[len(p)&^(blockSize-1):]) }

// Sum returns the sums of the stream so far. Writing may continue afterwards.
func (s *Sums) Sum() (md5Sum [md5.Size]byte, sha256Sum [sha256.Size]byte) {
	if s.size == 0 {
		s.Reset()
	}
	if !fast {
		s.parts[0].Sum(md5Sum[:0])
		if !s.MD5Only {
			s.parts[1].Sum(sha256Sum[:0])
		}
		return md5Sum, sha256Sum
	}
	// The padding is a bit, zeros, and the number of bits in 8 bytes, which are in
	// another order for each sum.
	var end [2 * blockSize]byte
	n := copy(end[:], s.tail[:s.size%blockSize])
	end[n] = 0x80
	last := end[:blockSize]
	if n >= blockSize-8 {
		last = end[:]
	}
	length := last[len(last)-8:]
	st, blocks := s.state, len(last)/blockSize
	binary.LittleEndian.PutUint64(length, s.size*8)
	md5Blocks1(&st, &last[0], blocks)
	for i := range len(md5Sum) / 4 {
		binary.LittleEndian.PutUint32(md5Sum[4*i:], st[i])
	}
	if s.MD5Only {
		return md5Sum, sha256Sum
	}
	binary.BigEndian.PutUint64(length, s.size*8)
	sumBlocks1(&st, &last[0], blocks) // the MD5 is ignored
	for i := range len(sha256Sum) / 4 {
		binary.BigEndian.PutUint32(sha256Sum[4*i:], st[4+i])
	}
	return md5Sum, sha256Sum
}

// writeBoth adds p to a and q to b. It processes them together while both have
// blocks, then the rest of either alone. It needs the assembly, and streams with
// the same sums.
func writeBoth(a, b *Sums, p, q []byte) {
	p, q = a.begin(p), b.begin(q)
	if n := min(len(p), len(q)) / blockSize; n > 0 {
		if a.MD5Only {
			md5Blocks2(&a.state, &b.state, &p[0], &q[0], n)
		} else {
			sumBlocks2(&a.state, &b.state, &p[0], &q[0], n)
		}
		p, q = p[n*blockSize:], q[n*blockSize:]
	}
	a.blocks(p)
	a.end(p)
	b.blocks(q)
	b.end(q)
}

// UpdateCRC64 returns the CRC-64 of the content of crc followed by p. The CRC of
// empty content is 0. The polynomial is that of ECMA-182, as in hash/crc64.
//
// Source: OSS API reference, x-oss-hash-crc64ecma.
func UpdateCRC64(crc uint64, p []byte) uint64 {
	if foldable && len(p) >= foldLeast {
		return foldCRC64(crc, p)
	}
	return strandsCRC64(crc, p)
}

// foldLeast is the fewest bytes for which folding pays: it processes the last 16
// bytes by the table.
const foldLeast = 2 * blockSize

// foldConstants are the powers of x that foldBlocks multiplies by. Each is one
// power lower, because a product of reflected polynomials is too high by x. The
// first half of an accumulator has the higher powers.
var foldConstants = [4]uint64{power(64*8 + 63), power(64*8 - 1), power(16*8 + 63), power(16*8 - 1)}

func foldCRC64(crc uint64, p []byte) uint64 {
	whole := len(p) &^ (blockSize - 1)
	var rest [16]byte
	foldBlocks(&rest, &foldConstants, ^crc, p[:whole])
	// Update inverts the CRC that it is given: ^0 makes it begin at 0.
	return crc64.Update(crc64.Update(^uint64(0), crcTable, rest[:]), crcTable, p[whole:])
}

// crcStrand is how many bytes each strand of strandsCRC64 processes at a time.
// Joining strands costs as much as some 100 bytes.
const crcStrand = 8 << 10

// strandsCRC64 implements UpdateCRC64 in plain Go. Each step of a CRC depends on
// the step before, so long input is processed in three independent strands, which
// are joined afterwards. This is twice as fast.
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
