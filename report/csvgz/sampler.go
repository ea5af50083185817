package csvgz

// A sampler counts the symbols of a few rows, so that codes can be fitted to
// them, and watches how well the codes in use fit.
type sampler struct {
	event int64 // the row before which tune is due
	fitAt int64 // with the first sample from here on, codes are fitted

	sampling bool
	fitting  bool   // to the sample being taken
	counted  int    // how much of text has been counted
	now      counts // of the sample being taken
	sum      counts // of samples, older ones counting less
	usual    int    // what a symbol took when codes were fitted, in 1/256 of a bit
}

type counts struct {
	literals  [numLiterals]uint32
	distances [numDistances]uint32
}

// Which rows are counted and when codes are fitted, in rows.
const (
	fitSample = 64          // how many are counted before a fit, beginning with the first rows of a piece
	sample    = 16          // how many are counted
	soon      = 128         // of so many in the beginning
	later     = 32 * soon   // and of so many afterwards
	beginning = 64 * 64     // how long that is
	fits      = 8 * 64 * 64 // how many are between two fits, at most
	sampledOf = 64          // of so many about one is in the counts that a fit uses
	changed   = 12          // codes fit no longer if a symbol takes this part more or less than when they were new
)

func (s *sampler) reset() { *s = sampler{} }

// tune is called before the row e.event. It begins or ends a sample.
func (c cursor) tune(e *Encoder) cursor {
	c = c.flush(e)
	if !e.sampling {
		e.begin(c, e.rows >= e.fitAt)
		return c
	}
	e.sampleTo(c.text)
	bits := e.bits(&e.now)
	drifted := e.drifted()
	e.sum.add(&e.now)
	switch {
	case e.fitting:
		c = c.refit(e)
		e.fitAt = e.rows + min(7*e.rows, fits)
		e.search.on = e.search.saved*searchPays > bits
	case drifted:
		e.sum = counts{}
		e.begin(c, true)
		return c
	}
	e.sampling, e.reach = false, int(min(e.base+int64(c.text), maxWindow))
	period := int64(later)
	if e.rows < beginning {
		period = soon
	}
	e.event += period - e.event%period
	return c
}

// begin begins a sample, to which codes will be fitted or not.
func (e *Encoder) begin(c cursor, fitting bool) {
	e.now = counts{}
	e.sampling, e.fitting, e.counted, e.reach = true, fitting, c.text, 0
	e.event += sample
	if fitting {
		e.event += fitSample - sample
		e.search.on, e.search.saved = true, 0
	}
}

// drifted reports whether symbols take more or less than when the codes were
// fitted.
func (e *Encoder) drifted() bool {
	change := e.bitsOfSymbol(&e.now) - e.usual
	return max(change, -change)*changed > e.usual
}

func (k *counts) add(other *counts) {
	for i, n := range other.literals {
		k.literals[i] += n
	}
	for i, n := range other.distances {
		k.distances[i] += n
	}
}

// sampleTo counts the literals up to an index of e.text.
func (e *Encoder) sampleTo(text int) {
	if !e.sampling {
		return
	}
	for _, b := range e.text[e.counted:text] {
		e.now.literals[b]++
	}
	e.counted = text
}

// sampleMatch counts a match, which is what follows in e.text.
func (e *Encoder) sampleMatch(n, d int) {
	if !e.sampling {
		return
	}
	s, _, _ := lengthSymbol(n)
	e.now.literals[s]++
	s, _, _ = distanceSymbol(d)
	e.now.distances[s]++
	e.counted += n
}

// refit begins a block with codes fitted to the samples, if it is worth it.
func (c cursor) refit(e *Encoder) cursor {
	before := e.bits(&e.sum)
	literals, distances := e.literalLens, e.distanceLens
	fit(e.literalLens[:], e.sum.literals[:], e.limits)
	fit(e.distanceLens[:], e.sum.distances[:], nil)
	gain := before - e.bits(&e.sum)
	if gain*sampledOf < headerBits {
		e.literalLens, e.distanceLens = literals, distances
	} else {
		// The end of the block is still in the codes that block replaces.
		c = c.put(uint64(e.literal[endOfBlock])).spill(&e.out).block(e)
	}
	e.usual = e.bitsOfSymbol(&e.sum)
	for i := range e.sum.literals {
		e.sum.literals[i] /= 2
	}
	for i := range e.sum.distances {
		e.sum.distances[i] /= 2
	}
	return c
}

// bits is what the symbols counted take.
func (t *tables) bits(k *counts) int {
	n := 0
	for i, count := range k.literals {
		n += int(count) * int(t.literalLens[i])
	}
	for i, count := range k.distances {
		n += int(count) * int(t.distanceLens[i])
	}
	return n
}

// bitsOfSymbol is what one of them takes, in 1/256 of a bit.
func (t *tables) bitsOfSymbol(k *counts) int {
	n := 0
	for _, count := range k.literals {
		n += int(count)
	}
	return t.bits(k) << 8 / max(n, 1)
}
