package parquet

import (
	"bytes"
	"encoding/binary"

	"github.com/stocktake/stocktake"
)

// finish ends the page of a column and appends it to the finished pages.
func (c *column) finish(e *Encoder) {
	if c.rows == 0 {
		return
	}
	head, body := e.head[:0], []byte(nil)
	if !c.required {
		defined := c.defined
		if c.nulls == 0 {
			defined = nil
		}
		head = appendLevels(head, c.rows, defined)
	}
	var encoding int
	switch c.kind {
	case keys:
		encoding = encodingDeltaByteArray
		head = appendDelta(appendDelta(head, c.shared), c.lengths)
		body = c.data
	case text:
		encoding = encodingDeltaLength
		head = appendDelta(head, c.lengths)
		body = c.data
	case words:
		encoding = encodingRLEDictionary
		width := indexWidth(len(c.dict.words))
		head = appendRuns(append(head, byte(width)), c.codes, width)
	case flags:
		encoding = encodingPlain
		head = appendPacked8(head, c.codes, (len(c.codes)+7)&^7, 1)
	case counts, times:
		encoding = encodingDelta
		head = appendDelta(head, c.numbers)
	}
	e.head = head
	e.stored = e.compressor.appendFrame(e.stored[:0], head, body)

	p := page{offset: int64(len(c.out)), nulls: int64(c.nulls), empty: c.nulls == c.rows, bounds: c.pageBounds()}
	if n := len(c.chunk.pages); n > 0 {
		p.row = c.chunk.pages[n-1].row + pageRows
	}
	size := len(head) + len(body)
	c.out = appendPage(c.out, &e.header, false, c.rows, encoding, size, e.stored)
	p.stored = int32(int64(len(c.out)) - p.offset)
	c.chunk.size += int64(size) + int64(p.stored) - int64(len(e.stored))
	c.chunk.nulls += p.nulls
	c.chunk.pages = append(c.chunk.pages, p)
	c.clear()
}

// maxBound is the longest value that is kept as a bound, in bytes. Shorter bounds
// would be useless for keys that share a long prefix.
const maxBound = 1024

// pageBounds returns the bounds of the page. Text, which is random, and pages
// without values have none.
func (c *column) pageBounds() bounds {
	switch c.kind {
	case keys:
		least, greatest := c.order.bounds()
		if len(least) > maxBound || len(greatest) > maxBound {
			return bounds{}
		}
		return bounds{append([]byte{}, least...), append([]byte{}, greatest...)}
	case counts, times:
		if len(c.numbers) == 0 {
			return bounds{}
		}
		least, greatest := c.numbers[0], c.numbers[0]
		for _, v := range c.numbers {
			least, greatest = min(least, v), max(greatest, v)
		}
		return bounds{binary.LittleEndian.AppendUint64(nil, uint64(least)), binary.LittleEndian.AppendUint64(nil, uint64(greatest))}
	case flags, words:
		var b bounds
		var seen [256]bool
		for _, code := range c.codes {
			seen[code] = true
		}
		for code, ok := range seen {
			if ok {
				b = b.merge(c.kind, bounds{c.word(code), c.word(code)})
			}
		}
		return b
	}
	return bounds{}
}

// word returns the plain value of a code.
func (c *column) word(code int) []byte {
	if c.kind == flags {
		return []byte{byte(code)}
	}
	switch c.field {
	case stocktake.FieldStorageClass:
		return []byte(stocktake.StorageClass(c.dict.words[code]).String())
	case stocktake.FieldObjectType:
		return []byte(stocktake.ObjectType(c.dict.words[code]).String())
	case stocktake.FieldObjectACL:
		return []byte(stocktake.ACL(c.dict.words[code]).String())
	}
	return c.bucket
}

// merge returns the common bounds of the values of b and o.
func (b bounds) merge(k kind, o bounds) bounds {
	if b.min == nil {
		return o
	}
	if o.min == nil {
		return b
	}
	if compare(k, o.min, b.min) < 0 {
		b.min = o.min
	}
	if compare(k, o.max, b.max) > 0 {
		b.max = o.max
	}
	return b
}

// compare compares two plain values of a kind.
func compare(k kind, a, b []byte) int {
	if k == counts || k == times {
		x, y := int64(binary.LittleEndian.Uint64(a)), int64(binary.LittleEndian.Uint64(b))
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return bytes.Compare(a, b)
}
