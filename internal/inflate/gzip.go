package inflate

import (
	"compress/gzip"
	"hash/crc32"
	"io"
)

// gzipMember is the state of the current member of a gzip file.
type gzipMember struct {
	is    bool // the input is a gzip file
	first bool // no member has been read yet
	crc   uint32
	size  uint32
}

func (g *gzipMember) sum(p []byte) {
	g.crc = crc32.Update(g.crc, crc32.IEEETable, p)
	g.size += uint32(len(p))
}

// The flags of a member.
//
// Source: RFC 1952, section 2.3.1.
const (
	flagSum     = 1 << 1
	flagExtra   = 1 << 2
	flagName    = 1 << 3
	flagComment = 1 << 4
)

// maxName bounds a member's name or comment, in bytes, as in compress/gzip.
const maxName = 512

// member reads the header of a member. After the last member it returns io.EOF.
func (r *Reader) member() error {
	r.bits, r.n = 0, 0
	if r.pos == r.end {
		if r.fill(); r.pos == r.end {
			if r.gzip.first {
				return r.ended()
			}
			return r.srcErr
		}
	}
	h := header{r: r}
	var head [10]byte
	for i := range head {
		head[i] = h.next()
	}
	if h.err != nil {
		return h.err
	}
	if head[0] != 0x1f || head[1] != 0x8b || head[2] != 8 {
		return gzip.ErrHeader
	}
	flags := head[3]
	if flags&flagExtra != 0 {
		n := int(h.next())
		n |= int(h.next()) << 8
		for range n {
			h.next()
		}
	}
	for _, flag := range [...]byte{flagName, flagComment} {
		if flags&flag == 0 {
			continue
		}
		for n := 0; h.next() != 0 && h.err == nil; n++ {
			if n == maxName-1 {
				return gzip.ErrHeader
			}
		}
	}
	sum := uint16(h.crc)
	if flags&flagSum != 0 {
		said := uint16(h.next())
		said |= uint16(h.next()) << 8
		if h.err == nil && said != sum {
			return gzip.ErrHeader
		}
	}
	r.gzip = gzipMember{is: true}
	r.base, r.state = r.w, atBlock
	return h.err
}

// A header reads bytes of a gzip header.
type header struct {
	r   *Reader
	crc uint32 // of what was read
	err error
	one [1]byte
}

func (h *header) next() byte {
	if h.err != nil {
		return 0
	}
	v, ok := h.r.take(8)
	if !ok {
		h.err = h.r.ended()
		return 0
	}
	h.one[0] = byte(v)
	h.crc = crc32.Update(h.crc, crc32.IEEETable, h.one[:])
	return h.one[0]
}

// trailer verifies the checksum and the size of a member.
func (r *Reader) trailer() error {
	var said [4]uint64
	for i := range said {
		v, ok := r.take(16)
		if !ok {
			return r.ended()
		}
		said[i] = v
	}
	if uint32(said[0]|said[1]<<16) != r.gzip.crc || uint32(said[2]|said[3]<<16) != r.gzip.size {
		return gzip.ErrChecksum
	}
	r.state = atMember
	return nil
}

var _ io.Reader = (*Reader)(nil)
