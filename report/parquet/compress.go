package parquet

import (
	"encoding/binary"
	"errors"

	"github.com/klauspost/compress/huff0"
	"github.com/klauspost/compress/zstd"
)

// A compressor makes Zstandard frames. It is not safe for concurrent use.
type compressor struct {
	general *zstd.Encoder
	huffman huff0.Scratch
	sample  []byte
	joined  []byte
}

// newCompressor returns a compressor. By default, the library at its fastest level
// stores blocks without matches uncompressed; then digits of random ids would take
// eight bits each.
func newCompressor() (*compressor, error) {
	z, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithAllLitEntropyCompression(true), zstd.WithZeroFrames(true),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	c := &compressor{general: z}
	c.huffman.Reuse = huff0.ReusePolicyNone
	return c, nil
}

// appendFrame appends a frame of head and then body to dst.
func (c *compressor) appendFrame(dst, head, body []byte) []byte {
	if len(body) == 0 {
		return c.general.EncodeAll(head, dst)
	}
	if c.random(body) {
		return c.appendLiterals(dst, head, body)
	}
	c.joined = append(append(c.joined[:0], head...), body...)
	return c.general.EncodeAll(c.joined, dst)
}

// sampleSize is how many bytes of a page determine how the page is compressed.
const sampleSize = 8 << 10

// random reports whether a search for matches in b would not pay.
func (c *compressor) random(b []byte) bool {
	if len(b) < 2*sampleSize {
		return false
	}
	from := len(b)/2 - sampleSize/2
	sample := b[from : from+sampleSize]
	c.sample = c.general.EncodeAll(sample, c.sample[:0])
	literals, _, err := huff0.Compress1X(sample, &c.huffman)
	return err == nil && len(c.sample) > len(literals)*31/32
}

// maxBlock is the longest content of a block of Zstandard, in bytes.
const maxBlock = 128 << 10

// appendLiterals appends a frame whose blocks contain only literals, with one
// Huffman code per block, and no sequences.
//
// Source: RFC 8878, section 3.1.1.
func (c *compressor) appendLiterals(dst, head, body []byte) []byte {
	dst = append(dst, 0x28, 0xb5, 0x2f, 0xfd, 0xa0) // magic number; a single segment, its size in four bytes
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(head)+len(body)))
	for len(head) > 0 {
		n := min(len(head), maxBlock)
		dst = c.appendBlock(dst, head[:n], false)
		head = head[n:]
	}
	// Blocks have equal sizes, so that none at the end is short.
	blocks := (len(body) + maxBlock - 1) / maxBlock
	for ; blocks > 0; blocks-- {
		n := len(body) / blocks
		dst = c.appendBlock(dst, body[:n], blocks == 1)
		body = body[n:]
	}
	return dst
}

const (
	blockRaw        = 0 << 1
	blockRLE        = 1 << 1
	blockCompressed = 2 << 1
)

func (c *compressor) appendBlock(dst, content []byte, last bool) []byte {
	final := 0
	if last {
		final = 1
	}
	if len(content) < 64 {
		return append(appendUint24(dst, len(content)<<3|blockRaw|final), content...)
	}
	out, _, err := huff0.Compress4X(content, &c.huffman)
	switch {
	case errors.Is(err, huff0.ErrUseRLE):
		return append(appendUint24(dst, len(content)<<3|blockRLE|final), content[0])
	case err != nil || len(out)+6 >= len(content): // incompressible
		return append(appendUint24(dst, len(content)<<3|blockRaw|final), content...)
	}
	dst = appendUint24(dst, (len(out)+6)<<3|blockCompressed|final)
	// The header of the literals: compressed, four streams, both sizes in 18 bits.
	h := uint64(2|3<<2) | uint64(len(content))<<4 | uint64(len(out))<<22
	dst = append(dst, byte(h), byte(h>>8), byte(h>>16), byte(h>>24), byte(h>>32))
	dst = append(dst, out...)
	return append(dst, 0) // no sequences
}

func appendUint24(dst []byte, v int) []byte { return append(dst, byte(v), byte(v>>8), byte(v>>16)) }
