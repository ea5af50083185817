package csvgz

// tooFar is a distance that no match can have.
const tooFar = 1 << 30

// since is how far back pos, a place in the file, is from the end of the text;
// too far for a match if it is far.
func (e *Encoder) since(c cursor, pos int64) int {
	return int(min(e.base+int64(c.text)-pos, tooFar))
}

// match adds n bytes, which stand at the end of the text already, as those from
// distance bytes before them. It holds them back, as more may follow from the
// same distance. A distance that no match can have makes them literals.
func (e *Encoder) match(c cursor, n, distance int) cursor {
	if distance != e.distance {
		if e.held > 0 {
			c = e.flush(c)
		}
		e.distance = distance
	}
	e.held += n
	c.text += n
	return c
}

// flush emits the match held back. Whatever emits anything else calls it first.
func (e *Encoder) flush(c cursor) cursor {
	n, d := e.held, e.distance
	e.held = 0
	if uint(n-minMatch) <= maxMatch-minMatch && d <= e.reach {
		return c.put(uint64(e.length[n])).put(uint64(e.near[d&(2*fastDistance-1)])).spill(&e.out)
	}
	if n > 0 {
		return e.flushAny(c, n, d)
	}
	return c
}

// flushAny is flush for matches that are far, long, too short, impossible or to
// be counted.
func (e *Encoder) flushAny(c cursor, n, d int) cursor {
	start := e.base + int64(c.text-n)
	if n < minMatch || d > maxWindow || int64(d) > start {
		return e.literals(c, e.text[c.text-n:c.text])
	}
	e.sampleTo(c.text - n)
	for n > 0 {
		m := min(n, maxMatch)
		if n-m > 0 && n-m < minMatch {
			m -= minMatch // so that a match is left
		}
		n -= m
		c = c.put(uint64(e.length[m])).put(e.far(d)).spill(&e.out)
		e.sampleMatch(c.text-n, m, d)
	}
	return c
}

// literals emits s, which stands at the end of the text already.
func (e *Encoder) literals(c cursor, s []byte) cursor {
	for _, b := range s {
		c = c.put(uint64(e.literal[b])).spill(&e.out)
	}
	return c
}
