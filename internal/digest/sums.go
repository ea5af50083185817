package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

const blockSize = 64 // of MD5 and of SHA-256, in bytes

// Sums are the MD5 and the SHA-256 of a stream. The zero value is ready. It is
// not safe for concurrent use.
type Sums struct {
	md5    [4]uint32
	sha256 [8]uint32
	tail   [blockSize]byte // what came last and makes no block yet
	size   uint64

	parts [2]hash.Hash // instead of all of that, where there is no assembly
}

// The states that the sums begin with.
//
// Source: RFC 1321, 3.3; FIPS 180-4, 5.3.3.
var (
	md5Start    = [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	sha256Start = [8]uint32{
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	}
)

// Reset begins a new stream.
func (s *Sums) Reset() { s.reset(fast) }

func (s *Sums) reset(fast bool) {
	s.size = 0
	if fast {
		s.md5, s.sha256 = md5Start, sha256Start
		return
	}
	s.md5 = [4]uint32{}
	if s.parts[0] == nil {
		s.parts = [2]hash.Hash{md5.New(), sha256.New()}
	}
	for _, h := range s.parts {
		h.Reset()
	}
}

// Write adds p to the stream. It never fails.
func (s *Sums) Write(p []byte) (int, error) {
	if s.size == 0 {
		s.reset(fast)
	}
	n := len(p)
	filled := int(s.size % blockSize)
	s.size += uint64(n)
	if !fast {
		for _, h := range s.parts {
			h.Write(p)
		}
		return n, nil
	}
	if filled > 0 {
		m := copy(s.tail[filled:], p)
		if filled+m < blockSize {
			return n, nil
		}
		p = p[m:]
		sumBlocks(&s.md5, &s.sha256, s.tail[:])
	}
	if len(p) >= blockSize {
		sumBlocks(&s.md5, &s.sha256, p)
		p = p[len(p)&^(blockSize-1):]
	}
	copy(s.tail[:], p)
	return n, nil
}

// Sum gives the sums of the stream so far, which may go on.
func (s *Sums) Sum() (md5Sum [md5.Size]byte, sha256Sum [sha256.Size]byte) {
	if s.size == 0 {
		s.reset(fast)
	}
	if !fast {
		s.parts[0].Sum(md5Sum[:0])
		s.parts[1].Sum(sha256Sum[:0])
		return md5Sum, sha256Sum
	}
	// The end is padded with a bit, zeros, and the number of bits in 8 bytes, which
	// are in another order for each.
	var end [2 * blockSize]byte
	n := copy(end[:], s.tail[:s.size%blockSize])
	end[n] = 0x80
	last := end[:blockSize]
	if n >= blockSize-8 {
		last = end[:]
	}
	length := last[len(last)-8:]
	m, h := s.md5, s.sha256
	binary.LittleEndian.PutUint64(length, s.size*8)
	sumBlocks(&m, new([8]uint32), last)
	binary.BigEndian.PutUint64(length, s.size*8)
	sumBlocks(new([4]uint32), &h, last)
	for i, word := range m {
		binary.LittleEndian.PutUint32(md5Sum[4*i:], word)
	}
	for i, word := range h {
		binary.BigEndian.PutUint32(sha256Sum[4*i:], word)
	}
	return md5Sum, sha256Sum
}
