package csvgz

import "encoding/binary"

// A buffer is memory that is written one word at a time. Its length is fixed and
// indexes wrap around, so that accesses need no bounds checks. Callers keep indexes
// below bufferSize; after that there is room for the longest word.
type buffer [bufferSize + 64]byte

const bufferSize = 64 << 10

func (b *buffer) put64(i int, v uint64) {
	i &= bufferSize - 1
	binary.LittleEndian.PutUint64(b[i:i+8:i+8], v)
}

func (b *buffer) put32(i int, v uint32) {
	i &= bufferSize - 1
	binary.LittleEndian.PutUint32(b[i:i+4:i+4], v)
}

func (b *buffer) put16(i int, v uint16) {
	i &= bufferSize - 1
	binary.LittleEndian.PutUint16(b[i:i+2:i+2], v)
}

func (b *buffer) put(i int, v byte) { b[i&(bufferSize-1)] = v }

// at16, at32 and at64 return the bytes at i.
func (b *buffer) at16(i int) *[16]byte {
	i &= bufferSize - 1
	return (*[16]byte)(b[i : i+16 : i+16])
}

func (b *buffer) at32(i int) *[32]byte {
	i &= bufferSize - 1
	return (*[32]byte)(b[i : i+32 : i+32])
}

func (b *buffer) at64(i int) *[64]byte {
	i &= bufferSize - 1
	return (*[64]byte)(b[i : i+64 : i+64])
}

// repeat copies n bytes, and up to 31 more, to i from back bytes before i. The
// ranges do not overlap.
func (b *buffer) repeat(i, back, n int) {
	for end := i + n; i < end; i += 32 {
		// The compiler turns larger copies into calls.
		*b.at16(i) = *b.at16(i - back)
		*b.at16(i + 16) = *b.at16(i + 16 - back)
	}
}

// load64 and load32 return the bytes of s at i in little-endian order.
func load64(s []byte, i int) uint64 { return binary.LittleEndian.Uint64(s[i : i+8 : i+8]) }

func load32(s []byte, i int) uint32 { return binary.LittleEndian.Uint32(s[i : i+4 : i+4]) }
