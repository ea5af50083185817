package csvgz

// tooFar is greater than the distance of any match.
const tooFar = 1 << 30

// since returns the distance from pos, a position in the piece, to the end of the
// text, but at most tooFar.
func (e *Encoder) since(c cursor, pos int64) int {
	return int(min(e.base+int64(c.text)-pos, tooFar))
}

// match adds the n bytes after the end of the text, which the caller has written
// there, as a match with the bytes at distance before them. It holds the match
// back, since the next bytes may extend it. At an impossible distance the bytes
// become literals.
func (c cursor) match(e *Encoder, n, distance int) cursor {
	if distance != e.distance {
		c = c.changeDistance(e, distance)
	}
	c.text += n
	return c
}

// changeDistance begins to hold back a match at another distance.
//
//go:noinline
func (c cursor) changeDistance(e *Encoder, distance int) cursor {
	if e.distance != 0 {
		c = c.flush(e)
	}
	e.distance, e.held = distance, c.text
	return c
}

// flush emits the match that is held back. It must be called before anything else
// is emitted.
func (c cursor) flush(e *Encoder) cursor {
	n, d := c.text-e.held, e.distance
	if uint(n-minMatch) > maxMatch-minMatch || uint(d-1) >= uint(e.reach) {
		return c.flushAny(e)
	}
	e.distance = 0
	c = c.put(uint64(e.length[n&511]))
	if d > nearDistance {
		return c.put(e.far(d)).spill(&e.out)
	}
	return c.put(uint64(e.near[d&(2*nearDistance-1)])).spill(&e.out)
}

// flushAny does the work of flush for the rare cases: matches that are long, too
// short, impossible or sampled, and no match.
func (c cursor) flushAny(e *Encoder) cursor {
	n, d := c.text-e.held, e.distance
	if d == 0 {
		return c
	}
	e.distance = 0
	if n < minMatch || d > maxWindow || int64(d) > e.base+int64(e.held) {
		return c.literals(e, e.text[e.held:c.text])
	}
	e.sampleTo(e.held)
	for n > 0 {
		m := min(n, maxMatch)
		if n-m > 0 && n-m < minMatch {
			m -= minMatch // so that the rest is long enough for a match
		}
		n -= m
		c = c.put(uint64(e.length[m])).put(e.far(d)).spill(&e.out)
		e.sampleMatch(m, d)
	}
	return c
}

// literals emits s, which is at the end of the text, as literals.
func (c cursor) literals(e *Encoder, s []byte) cursor {
	for ; len(s) >= 4; s = s[4:] {
		c = c.put(uint64(e.literal[s[0]])).put(uint64(e.literal[s[1]])).
			put(uint64(e.literal[s[2]])).put(uint64(e.literal[s[3]])).spill(&e.out)
	}
	for _, b := range s {
		c = c.put(uint64(e.literal[b]))
	}
	return c.spill(&e.out)
}
