package csvgz

import (
	"math/bits"
	"slices"
)

// A column keeps the textual value of a column in the previous row.
type column struct {
	texts *[256]uint32 // text of each byte
	codes *[256]uint32 // code of that text
	more  int          // additional bytes of a byte that is encoded as several
	isKey bool

	value []byte
	long  []int32 // indexes of the bytes of value that are encoded as several, ascending
	pos   int64   // position of the text of value in the piece
	size  int     // of that text
	row   int64   // of value

	kept   []byte  // backs value between two calls of Encode
	behind []int32 // scratch
}

func newColumn(texts, codes *[256]uint32, more int) column {
	return column{
		texts: texts, codes: codes, more: more,
		long: make([]int32, 0, maxText), behind: make([]int32, 0, maxText), kept: make([]byte, 0, maxText),
	}
}

func (l *column) reset() { l.value, l.long, l.row = nil, l.long[:0], noPosition }

// keep copies value, which points into the batch.
func (l *column) keep() {
	l.kept = append(l.kept[:0], l.value...)
	l.value = l.kept
}

// delta adds a textual value: the prefix and the suffix that it shares with the
// value of the previous row as matches, the rest as literals. The text lead comes
// before both values, so it becomes part of the match.
func (c cursor) delta(e *Encoder, l *column, lead string, value []byte) cursor {
	if l.row != e.rows-1 || len(value) > maxText {
		l.value, l.long, l.size = nil, l.long[:0], 0
		if lead != "" {
			copy(e.text[c.text&(bufferSize-1):], lead)
			c = c.match(e, len(lead), tooFar)
			lead = ""
		}
		if len(value) > maxText {
			return c.longText(e, l, value)
		}
	}
	prefix := commonPrefix(value, l.value)
	suffix := commonSuffix(value, l.value, prefix)

	// Find the long bytes of the previous value in the prefix and in the suffix.
	long := l.long
	stay, behind := len(long), l.behind[:0]
	if stay > 0 && int(long[stay-1]) >= prefix {
		for stay > 0 && int(long[stay-1]) >= len(l.value)-suffix {
			stay--
		}
		behind = append(behind, long[stay:]...)
		l.behind = behind
		for stay > 0 && int(long[stay-1]) >= prefix {
			stay--
		}
		l.long = long[:stay]
	}

	n := prefix + stay*l.more
	pos := e.base + int64(c.text+len(lead))
	back := int(pos - l.pos)
	if n += len(lead); n > 0 {
		e.text.repeat(c.text, back, n)
		c = c.match(e, n, back)
	}
	if end := len(value) - suffix; prefix < end {
		c = c.middle(e, l, value, prefix, end)
	}
	if suffix > 0 {
		n := suffix + len(behind)*l.more
		back := e.since(c, l.pos+int64(l.size-n))
		e.text.repeat(c.text, back, n)
		c = c.match(e, n, back)
		for _, i := range behind {
			l.long = append(l.long, i+int32(len(value)-len(l.value)))
		}
	}
	l.value, l.row = value, e.rows
	l.pos, l.size = pos, int(e.base+int64(c.text)-pos)
	return c
}

// middle adds value[from:to], which the previous value does not have, as literals
// unless part of a key occurred elsewhere.
func (c cursor) middle(e *Encoder, l *column, value []byte, from, to int) cursor {
	if l.isKey {
		if e.search.on {
			return c.searched(e, l, value, from, to)
		}
		if from > 0 && value[from-1] == '/' {
			return c.path(e, l, value, from, to)
		}
	}
	c = c.flush(e)
	if to < 4 {
		return c.special(e, l, value, from, to)
	}
	codes := l.codes
	for ; from+4 <= to; from += 4 {
		v := load32(value, from)
		k0, k1, k2, k3 := codes[v&255], codes[v>>8&255], codes[v>>16&255], codes[v>>24]
		if (k0|k1|k2|k3)&several != 0 {
			return c.special(e, l, value, from, to)
		}
		e.text.put32(c.text, v)
		c.text += 4
		c = c.put(uint64(k0)).put(uint64(k1)).put(uint64(k2)).put(uint64(k3)).spill(&e.out)
	}
	// The last four bytes, with those already added masked out.
	n := to - from
	v := load32(value, to-4)
	m := &lastOf4[n&3]
	k0, k1, k2 := codes[v>>8&255]&m[0], codes[v>>16&255]&m[1], codes[v>>24]&m[2]
	if (k0|k1|k2)&several != 0 {
		return c.special(e, l, value, from, to)
	}
	e.text.put32(c.text, v>>(32-8*n&63))
	c.text += n
	return c.put(uint64(k0)).put(uint64(k1)).put(uint64(k2)).spill(&e.out)
}

// special does the work of middle for short values and those with bytes that are
// encoded as several.
func (c cursor) special(e *Encoder, l *column, value []byte, from, to int) cursor {
	if l.isKey {
		return c.path(e, l, value, from, to)
	}
	return c.bytewise(e, l, value, from, to)
}

// bytewise adds value[from:to] as literals, two bytes at a time.
func (c cursor) bytewise(e *Encoder, l *column, value []byte, from, to int) cursor {
	for ; from+2 <= to; from += 2 {
		a, b := value[from], value[from+1]
		s := l.texts[a]
		e.text.put32(c.text, s)
		c.text += int(s >> 24)
		t := l.texts[b]
		e.text.put32(c.text, t)
		c.text += int(t >> 24)
		if s|t >= 2<<24 {
			l.remember(from, s)
			l.remember(from+1, t)
		}
		c = c.put(uint64(l.codes[a] &^ several)).put(uint64(l.codes[b] &^ several)).spill(&e.out)
	}
	if from < to {
		a := value[from]
		s := l.texts[a]
		e.text.put32(c.text, s)
		c.text += int(s >> 24)
		l.remember(from, s)
		c = c.put(uint64(l.codes[a] &^ several)).spill(&e.out)
	}
	return c
}

// remember records the byte of value at i if text has several bytes.
func (l *column) remember(i int, text uint32) {
	if text>>24 > 1 {
		l.long = append(l.long, int32(i))
	}
}

// maxText is the length of the longest value that is compared with the previous
// one. Longer ones, which no store makes, are literals only.
const maxText = 1024

// longText adds a value of any length. The next row is not compared with it.
func (c cursor) longText(e *Encoder, l *column, value []byte) cursor {
	for part := range slices.Chunk(value, maxText) {
		c = c.drain(e).forget(e).bytewise(e, l, part, 0, len(part))
	}
	l.reset()
	return c
}

// lastOf4 has masks for the second to fourth of four codes that keep only the
// last 0 to 3 of them.
var lastOf4 = [4][3]uint32{{0, 0, 0}, {0, 0, 1<<32 - 1}, {0, 1<<32 - 1, 1<<32 - 1}, {1<<32 - 1, 1<<32 - 1, 1<<32 - 1}}

// commonPrefix returns the length of the common prefix of a and b.
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
		if x := load64(a, i) ^ load64(b, i); x != 0 {
			return i + bits.TrailingZeros64(x)>>3
		}
	}
	if x := load64(a, n-8) ^ load64(b, n-8); x != 0 {
		return n - 8 + bits.TrailingZeros64(x)>>3
	}
	return n
}

// commonSuffix returns the length of the common suffix of a and b without the
// first prefix bytes of either.
func commonSuffix(a, b []byte, prefix int) int {
	n := min(len(a), len(b)) - prefix
	for i := 0; i < n; i += 8 {
		j, k := len(a)-i-8, len(b)-i-8
		if j < 0 || k < 0 {
			for i < n && a[len(a)-i-1] == b[len(b)-i-1] {
				i++
			}
			return i
		}
		if x := load64(a, j) ^ load64(b, k); x != 0 {
			return min(i+bits.LeadingZeros64(x)>>3, n)
		}
	}
	return n
}
