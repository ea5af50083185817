package csvgz

// The segments of keys, the parts between slashes, recur in other places: the same
// album of another user, the same two files in every folder. paths maps the hash of
// the first four bytes of a segment to its last position.
type paths [1 << pathBits]int64

const (
	pathBits = 8

	// minSegment is the shortest text that is worth a match at a long distance.
	minSegment = 5
)

func (p *paths) reset() {
	for i := range p {
		p[i] = noPosition
	}
}

// path adds value[from:to], part of a key, as literals, except for segments that
// are still in the text, which it adds as matches.
func (c cursor) path(e *Encoder, l *column, value []byte, from, to int) cursor {
	for from < to {
		if from+4 <= to && (from == 0 || value[from-1] == '/') {
			last := &e.paths[load32(value, from)*0x9e3779b1>>(32-pathBits)]
			at := int(max(*last-e.base, -1))
			*last = e.base + int64(c.text)
			if n, size := e.sameText(at, c.text, value[from:to]); size >= minSegment {
				for i, b := range value[from : from+n] {
					l.remember(from+i, l.texts[b])
				}
				e.text.repeat(c.text, c.text-at, size)
				c = c.match(e, size, c.text-at)
				from += n
				continue
			}
		}
		end := from + 1
		for end < to && value[end-1] != '/' {
			end++
		}
		c = c.flush(e).bytewise(e, l, value, from, end)
		from = end
	}
	return c
}

// sameText returns how many bytes of key, from its beginning, are encoded as
// text[at:end], and the size of their text.
func (e *Encoder) sameText(at, end int, key []byte) (n, size int) {
	if at < max(0, end-maxWindow) {
		return 0, 0
	}
	for text := e.text[at:end]; n < len(key); n++ {
		s := escaped[key[n]]
		k := int(s >> 24)
		if size+k > len(text) || uint32(text[size]) != s&255 ||
			k > 1 && (uint32(text[size+1]) != s>>8&255 || uint32(text[size+2]) != s>>16&255) {
			break
		}
		size += k
	}
	return n, size
}
