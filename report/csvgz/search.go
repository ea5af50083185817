package csvgz

import "bytes"

// A search finds repetitions as general compressors do, but only in the parts of
// keys that differ from the previous row. In some buckets these parts contain words
// that recur; in others they are digits, which do not. So the search runs while
// rows are sampled, and at other times only while it saves enough.
type search struct {
	on    bool
	saved int // bits, while rows are sampled

	// The last position of four bytes, by their hash.
	last [1 << searchBits]int64
}

const (
	searchBits = 10

	// A search stays on if it saves this fraction of the size of rows.
	searchPays = 20
)

func (s *search) reset() {
	s.on = false
	for i := range s.last {
		s.last[i] = noPosition
	}
}

// searched adds value[from:to], part of a key, as literals and as matches with
// text that searched has added before.
func (c cursor) searched(e *Encoder, l *column, value []byte, from, to int) cursor {
	end := c.text
	for i, b := range value[from:to] {
		s := l.texts[b]
		l.remember(from+i, s)
		e.text.put32(end, s)
		end += int(s >> 24)
	}
	text := e.text[:end]
	for i := c.text; i+minSearch <= end; {
		// Hash eight bytes of escaped text, because four are only one byte of a
		// character. Never begin inside an escape.
		word, step := uint64(load32(text, i)), 1
		if !e.sampling {
			step += (i - c.text) >> 4 // the steps grow while nothing is found
		}
		if text[i] == '%' {
			step = len("%XX")
			if i+8 <= end {
				word = load64(text, i)
			}
		}
		last := &e.search.last[word*0x9e3779b97f4a7c15>>(64-searchBits)]
		at := int(max(*last-e.base, int64(i-maxWindow-1), -1))
		*last = e.base + int64(i)
		if at < 0 || i-at > maxWindow {
			i += step
			continue
		}
		n := commonPrefix(text[at:], text[i:])
		if n < minSearch {
			i += step
			continue
		}
		saved := e.bitsOfText(text[i:i+n]) - e.bitsOfMatch(n, i-at)
		if saved <= 0 {
			i += step
			continue
		}
		if e.sampling {
			// Do not count what path would find, too.
			if j := bytes.Index(text[max(0, i-len(slash)):i+n], slash); j >= 0 {
				saved = e.bitsOfText(text[i:max(i, i-len(slash)+j)])
			}
			e.search.saved += saved
		}
		if c.text < i {
			c = c.flush(e).literals(e, text[c.text:i])
			c.text = i
		}
		c = c.match(e, n, i-at)
		i += n
	}
	if c.text < end {
		c = c.flush(e).literals(e, text[c.text:])
		c.text = end
	}
	return c
}

var slash = []byte("%2F")

// minSearch is the shortest match that a search finds.
const minSearch = 4

// bitsOfText returns the size of s as literals in bits.
func (t *tables) bitsOfText(s []byte) int {
	n := 0
	for _, b := range s {
		n += int(t.literalLens[b])
	}
	return n
}

// bitsOfMatch returns the size of a match of n bytes in bits.
func (t *tables) bitsOfMatch(n, distance int) int {
	d, extra, _ := distanceSymbol(distance)
	return int(t.length[min(n, maxMatch)]&codeLen) + int(t.distanceLens[d]) + int(extra)
}
