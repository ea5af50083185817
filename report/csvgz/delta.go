package csvgz

import (
	"encoding/binary"
	"math/bits"
)

// A column remembers the textual value that a column had in the last row.
type column struct {
	value []byte
	long  []int32 // indexes of the bytes of value that stand as several in the row, ascending
	pos   int64   // where the text of value begins in the file
	size  int     // of that text
	row   int64   // of value

	kept   []byte  // what value points to between two calls of Encode
	behind []int32 // scratch
}

func (l *column) reset() { l.value, l.row = nil, never }

// keep makes value independent of the batch it came in.
func (l *column) keep() {
	l.kept = append(l.kept[:0], l.value...)
	l.value = l.kept
}

// texts says how a column's bytes stand in a row, see keyText.
type texts struct {
	text *[256]uint32
	more int // a byte stands as itself or as 1+more bytes
}

var keyTexts, quotedTexts = texts{&keyText, 2}, texts{&quotedText, 1}

// delta adds a textual value: what it has in common with the last row's at
// either end as matches, the rest as literals.
func (e *Encoder) delta(c cursor, l *column, value []byte, in texts, codes *[256]uint64) cursor {
	if l.row != e.rows-1 {
		l.value, l.long, l.size = nil, l.long[:0], 0
	}
	prefix := commonPrefix(value, l.value)
	suffix := commonSuffix(value[prefix:], l.value[prefix:])
	middle := value[prefix : len(value)-suffix]

	// Which of the last value's long bytes are in the prefix, which in the suffix?
	long, stay := l.long, len(l.long)
	for stay > 0 && int(long[stay-1]) >= len(l.value)-suffix {
		stay--
	}
	l.behind = append(l.behind[:0], long[stay:]...)
	for stay > 0 && int(long[stay-1]) >= prefix {
		stay--
	}
	long = long[:stay]
	prefixText, suffixText := prefix+stay*in.more, suffix+len(l.behind)*in.more

	pos := e.base + int64(c.text)
	if prefix > 0 {
		d := e.since(c, l.pos)
		copyBack(e.text, c.text, d, prefixText)
		c = e.match(c, prefixText, d)
	}
	if len(middle) > 0 {
		c = e.flush(c)
		for i, b := range middle {
			s := in.text[b]
			if s>>24 > 1 {
				long = append(long, int32(prefix+i))
			}
			binary.LittleEndian.PutUint32(e.text[c.text:], s)
			c.text += int(s >> 24)
			c = c.put(codes[b]).spill(e.out)
		}
	}
	if suffix > 0 {
		d := e.since(c, l.pos+int64(l.size-suffixText))
		copyBack(e.text, c.text, d, suffixText)
		c = e.match(c, suffixText, d)
		for _, i := range l.behind {
			long = append(long, i+int32(len(value)-len(l.value)))
		}
	}
	l.value, l.long, l.row = value, long, e.rows
	l.pos, l.size = pos, int(e.base+int64(c.text)-pos)
	return c
}

// copyBack copies n bytes of text from d bytes before at to at, and up to 15
// bytes more. The two do not overlap.
func copyBack(text []byte, at, d, n int) {
	for ; n > 0; n -= 16 {
		*(*[16]byte)(text[at:]) = *(*[16]byte)(text[at-d:])
		at += 16
	}
}

// commonPrefix is how many bytes a and b have in common at their beginning.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	if n < 8 {
		for i := range n {
			if a[i] != b[i] {
				return i
			}
		}
		return n
	}
	for i := 0; i < n-8; i += 8 {
		if x := load(a, i) ^ load(b, i); x != 0 {
			return i + bits.TrailingZeros64(x)>>3
		}
	}
	if x := load(a, n-8) ^ load(b, n-8); x != 0 {
		return n - 8 + bits.TrailingZeros64(x)>>3
	}
	return n
}

// commonSuffix is how many bytes a and b have in common at their end.
func commonSuffix(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[len(a)-n:], b[len(b)-n:]
	i := n
	for ; i >= 8; i -= 8 {
		if x := load(a, i-8) ^ load(b, i-8); x != 0 {
			return n - i + bits.LeadingZeros64(x)>>3
		}
	}
	for i > 0 && a[i-1] == b[i-1] {
		i--
	}
	return n - i
}
