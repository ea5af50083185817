package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/stocktake/stocktake/report/format"
)

// Bounds of the memory of a reader, in bytes.
const (
	maxPage   = 64 << 20  // a page, compressed or not
	maxHeld   = 256 << 20 // pages of all columns together
	maxHeader = 1 << 20   // a page header
	maxWhole  = 16 << 20  // row groups up to this size are read in one request
	readAhead = 1 << 20   // per column, for larger row groups
)

// A source reads the column chunks of a file. Row groups of the usual size are read
// whole, in one request. For larger ones, each column is read ahead a little.
type source struct {
	ctx  context.Context
	file format.File

	whole []byte // the row group; nil: too large
	start int64  // of the row group in the file
	buf   []byte // of whole

	held   int64 // bytes of the pages of all columns
	zstd   *zstd.Decoder
	gzip   *gzip.Reader
	packed bytes.Reader
}

// begin begins reading a row group.
func (s *source) begin(g *storedGroup) (err error) {
	s.whole, s.start = nil, g.start
	if n := g.end - g.start; n <= maxWhole && n > 0 {
		s.whole, err = readRange(s.ctx, s.file, g.start, n, s.buf)
		s.buf = s.whole[:0]
	}
	return err
}

// hold records that a buffer grows by n bytes.
func (s *source) hold(n int64) error {
	if s.held += n; s.held > maxHeld {
		return fmt.Errorf("%w that can be read: the pages of its columns take more than %d bytes at once", ErrNotParquet, maxHeld)
	}
	return nil
}

// A cursor reads the values of one column of a row group, one at a time.
type cursor struct {
	*source
	leaf   *leaf
	column int // number of the leaf
	chunk  *storedChunk
	at     int64  // in the file: where ahead begins
	ahead  []byte // bytes that were read and not used
	buf    []byte // of ahead

	left     int64 // values of the chunk in pages that have not begun
	rows     int64 // values of the page
	optional bool
	levels   runs
	values   values
	page     []byte // decompressed
	dictPage []byte
	dict     entries
	hasDict  bool

	value
}

// begin begins reading a chunk.
func (c *cursor) begin(chunk *storedChunk) {
	c.chunk, c.at, c.ahead = chunk, chunk.start, nil
	c.left, c.rows, c.hasDict, c.optional = chunk.values, 0, false, c.leaf.optional
}

// advance reads the next value into c.value.
func (c *cursor) advance() error {
	for c.rows == 0 {
		if c.left <= 0 {
			return errors.New("it has fewer values than its row group has rows")
		}
		if err := c.nextPage(); err != nil {
			return err
		}
	}
	c.rows--
	c.null = false
	if c.optional {
		level, err := c.levels.next()
		if err != nil {
			return err
		}
		if level == 0 {
			c.null = true
			return nil
		}
	}
	return c.values.next(&c.value)
}

// peek returns the next n bytes of the chunk, or all that are left if there are
// fewer, without consuming them.
func (c *cursor) peek(n int64) ([]byte, error) {
	end := c.chunk.start + c.chunk.size
	n = min(n, end-c.at)
	if c.whole != nil {
		from := c.at - c.start
		return c.whole[from : from+n], nil
	}
	if int64(len(c.ahead)) < n {
		want := min(max(n, readAhead), end-c.at)
		if grow := want - int64(cap(c.buf)); grow > 0 {
			if err := c.hold(grow); err != nil {
				return nil, err
			}
		}
		var err error
		if c.ahead, err = readRange(c.ctx, c.file, c.at, want, c.buf); err != nil {
			c.ahead = nil
			return nil, err
		}
		c.buf = c.ahead[:0]
	}
	return c.ahead[:n], nil
}

// use consumes n bytes.
func (c *cursor) use(n int64) {
	c.at += n
	if c.whole == nil {
		c.ahead = c.ahead[n:]
	}
}

// A pageHeader is the header of a page.
type pageHeader struct {
	typ, size, stored int64
	crc               int64
	hasCRC            bool
	values, encoding  int64
	levels            int64 // encoding of the definition levels
	levelBytes        int64 // V2: of the definition levels
	repetitionBytes   int64 // V2
	compressed        bool  // V2
}

// header reads the header of the next page.
func (c *cursor) header() (h pageHeader, err error) {
	for _, n := range []int64{4 << 10, maxHeader} {
		b, err := c.peek(n)
		if err != nil {
			return h, err
		}
		r := structReader{b: b}
		h = readPageHeader(&r)
		if r.err == nil {
			c.use(int64(len(b) - len(r.b)))
			return h, nil
		}
		if !errors.Is(r.err, errTruncated) || int64(len(b)) < n {
			return h, fmt.Errorf("a page header: %w", r.err)
		}
	}
	return h, fmt.Errorf("a page header has more than %d bytes", maxHeader)
}

func readPageHeader(r *structReader) (h pageHeader) {
	h.compressed, h.levels = true, encodingRLE
	r.fields(func(id int16, typ byte) {
		switch {
		case id == 1:
			h.typ = r.integer(typ)
		case id == 2:
			h.size = r.integer(typ)
		case id == 3:
			h.stored = r.integer(typ)
		case id == 4:
			h.crc, h.hasCRC = r.integer(typ), true
		case (id == 5 || id == 7 || id == 8) && typ == thriftStruct:
			r.fields(func(field int16, typ byte) {
				switch {
				case field == 1:
					h.values = r.integer(typ)
				case field == 2 && id != 8, field == 4 && id == 8:
					h.encoding = r.integer(typ)
				case field == 3 && id == 5:
					h.levels = r.integer(typ)
				case field == 5 && id == 8:
					h.levelBytes = r.integer(typ)
				case field == 6 && id == 8:
					h.repetitionBytes = r.integer(typ)
				case field == 7 && id == 8:
					h.compressed = r.bool(typ)
				default:
					r.skip(typ)
				}
			})
		default:
			r.skip(typ)
		}
	})
	return h
}

// nextPage begins the next data page.
func (c *cursor) nextPage() error {
	h, err := c.header()
	if err != nil {
		return err
	}
	if h.size < 0 || h.stored < 0 || h.size > maxPage || h.stored > maxPage || h.stored > c.chunk.start+c.chunk.size-c.at {
		return fmt.Errorf("a page claims %d bytes, %d stored", h.size, h.stored)
	}
	stored, err := c.peek(h.stored)
	if err != nil {
		return err
	}
	if h.hasCRC && uint32(h.crc) != crc32.ChecksumIEEE(stored) {
		return errors.New("the checksum of a page is wrong")
	}
	defer c.use(h.stored)
	switch h.typ {
	case pageDictionary:
		if c.dictPage, err = c.decompress(c.dictPage, stored, h.size); err != nil {
			return err
		}
		c.hasDict = true
		return c.dict.open(c.dictPage, c.chunk.typ, h.values)
	case pageData, pageDataV2:
	default:
		return nil // an index page, or a page of an unknown kind
	}
	if h.values < 0 || h.values > c.left {
		return fmt.Errorf("a page has %d values, but only %d are left", h.values, c.left)
	}
	c.left -= h.values
	c.rows = h.values
	if h.typ == pageDataV2 {
		return c.openV2(&h, stored)
	}
	if c.page, err = c.decompress(c.page, stored, h.size); err != nil {
		return err
	}
	b := c.page
	if c.optional {
		if h.levels != encodingRLE {
			return fmt.Errorf("definition levels in encoding %d cannot be read", h.levels)
		}
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return errPage
		}
		n := 4 + int(binary.LittleEndian.Uint32(b))
		c.levels, b = newRuns(b[4:n], 1), b[n:]
	}
	return c.openValues(b, &h)
}

// openV2 begins a page of version 2, whose levels are not compressed.
func (c *cursor) openV2(h *pageHeader, stored []byte) (err error) {
	if h.repetitionBytes != 0 || h.levelBytes < 0 || h.levelBytes > int64(len(stored)) || h.levelBytes > h.size {
		return errPage
	}
	levels, body := stored[:h.levelBytes], stored[h.levelBytes:]
	size := h.size - h.levelBytes
	if h.compressed && len(body) > 0 {
		c.page, err = c.decompress(c.page, body, size)
	} else {
		c.page, err = c.copy(c.page, body, size)
	}
	if err != nil {
		return err
	}
	if c.optional {
		// The window may move before the levels are used up.
		kept := append(c.page, levels...)
		if err := c.hold(int64(cap(kept) - cap(c.page))); err != nil {
			return err
		}
		c.page = kept[:size]
		c.levels = newRuns(kept[size:], 1)
	}
	return c.openValues(c.page[:size], h)
}

func (c *cursor) openValues(b []byte, h *pageHeader) error {
	var dict *entries
	if c.hasDict {
		dict = &c.dict
	}
	return c.values.open(b, c.chunk.typ, h.encoding, dict)
}

// grow returns buf, empty, with capacity for n bytes.
func (c *cursor) grow(buf []byte, n int64) ([]byte, error) {
	if grow := n - int64(cap(buf)); grow > 0 {
		if err := c.hold(grow); err != nil {
			return nil, err
		}
		buf = make([]byte, 0, n)
	}
	return buf[:0], nil
}

func (c *cursor) copy(buf, stored []byte, size int64) ([]byte, error) {
	if int64(len(stored)) != size {
		return buf, fmt.Errorf("a page has %d bytes, its header says %d", len(stored), size)
	}
	buf, err := c.grow(buf, size)
	return append(buf, stored...), err
}

// decompress decompresses a page. Its content must have the given size.
func (c *cursor) decompress(buf, stored []byte, size int64) (_ []byte, err error) {
	if c.chunk.codec == codecUncompressed {
		return c.copy(buf, stored, size)
	}
	if buf, err = c.grow(buf, size); err != nil {
		return nil, err
	}
	switch c.chunk.codec {
	case codecZstd:
		if c.zstd == nil {
			c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxPage))
			if err != nil {
				return nil, err
			}
		}
		buf, err = c.zstd.DecodeAll(stored, buf[:0:size])
	case codecSnappy:
		var n int
		if n, err = snappy.DecodedLen(stored); err == nil && int64(n) == size {
			buf, err = snappy.Decode(buf[:size], stored)
		}
	case codecGzip:
		c.packed.Reset(stored)
		if c.gzip == nil {
			c.gzip = new(gzip.Reader)
		}
		if err = c.gzip.Reset(&c.packed); err == nil {
			buf = buf[:size]
			if _, err = io.ReadFull(c.gzip, buf); err == nil {
				var more [1]byte
				if n, _ := c.gzip.Read(more[:]); n > 0 {
					err = errors.New("it is longer than its header says")
				}
			}
		}
	default:
		return nil, fmt.Errorf("compression codec %s cannot be read; uncompressed, Snappy, gzip and Zstandard can", codecName(c.chunk.codec))
	}
	if err == nil && int64(len(buf)) != size {
		err = fmt.Errorf("it has %d bytes instead of %d", len(buf), size)
	}
	if err != nil {
		return nil, fmt.Errorf("a page cannot be decompressed: %w", err)
	}
	return buf, nil
}
