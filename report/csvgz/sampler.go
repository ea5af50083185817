package csvgz

// A sampler counts the symbols of a few rows, to fit codes to them and to check how
// well the current codes fit.
type sampler struct {
	event int64 // number of the row before which tune is called
	fitAt int64 // codes are fitted to the first sample from this row on

	sampling   bool
	fitting    bool   // codes will be fitted to the current sample
	counted    int    // bytes of text that are counted
	now        counts // of the current sample
	sum        counts // of all samples, with less weight for older ones
	fittedBits int    // mean size of a symbol when codes were fitted, in 1/256 bit
}

type counts struct {
	literals  [numLiterals]uint32
	distances [numDistances]uint32
}

// Which rows are sampled and when codes are fitted, in rows.
const (
	fitSampleRows = 64               // rows of a sample that codes are fitted to, such as the first rows of a piece
	sampleRows    = 16               // rows of any other sample
	earlyPeriod   = 128              // distance of samples in the beginning
	latePeriod    = 32 * earlyPeriod // distance of samples afterwards
	earlyRows     = 64 * 64          // length of the beginning
	maxFitPeriod  = 8 * 64 * 64      // greatest distance of two fits
	sampledOf     = 64               // one of about this many rows is in the counts of a fit
	driftFraction = 12               // codes no longer fit if the mean size of a symbol has changed by this fraction
)

func (s *sampler) reset() { *s = sampler{} }

// tune begins or ends a sample before row e.event.
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
		e.fitAt = e.rows + min(7*e.rows, maxFitPeriod)
		e.search.on = e.search.saved*searchPays > bits
	case drifted:
		e.sum = counts{}
		e.begin(c, true)
		return c
	}
	e.sampling, e.reach = false, int(min(e.base+int64(c.text), maxWindow))
	period := int64(latePeriod)
	if e.rows < earlyRows {
		period = earlyPeriod
	}
	e.event += period - e.event%period
	return c
}

// begin begins a sample. If fitting is set, codes will be fitted to it.
func (e *Encoder) begin(c cursor, fitting bool) {
	e.now = counts{}
	e.sampling, e.fitting, e.counted, e.reach = true, fitting, c.text, 0
	e.event += sampleRows
	if fitting {
		e.event += fitSampleRows - sampleRows
		e.search.on, e.search.saved = true, 0
	}
}

// drifted reports whether the mean size of a symbol has changed since the codes
// were fitted.
func (e *Encoder) drifted() bool {
	change := e.bitsOfSymbol(&e.now) - e.fittedBits
	return max(change, -change)*driftFraction > e.fittedBits
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

// sampleMatch counts a match of the next n bytes of e.text.
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

// refit begins a block with codes fitted to the samples if that saves more than
// its header.
func (c cursor) refit(e *Encoder) cursor {
	before := e.bits(&e.sum)
	literals, distances := e.literalLens, e.distanceLens
	fit(e.literalLens[:], e.sum.literals[:], e.preset.limits)
	fit(e.distanceLens[:], e.sum.distances[:], nil)
	gain := before - e.bits(&e.sum)
	if gain*sampledOf < headerBits {
		e.literalLens, e.distanceLens = literals, distances
	} else {
		// The end-of-block symbol still has the old code.
		c = c.put(uint64(e.literal[endOfBlock])).spill(&e.out).block(e)
	}
	e.fittedBits = e.bitsOfSymbol(&e.sum)
	for i := range e.sum.literals {
		e.sum.literals[i] /= 2
	}
	for i := range e.sum.distances {
		e.sum.distances[i] /= 2
	}
	return c
}

// bits returns the size of the counted symbols in bits.
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

// bitsOfSymbol returns their mean size in 1/256 bit.
func (t *tables) bitsOfSymbol(k *counts) int {
	n := 0
	for _, count := range k.literals {
		n += int(count)
	}
	return t.bits(k) << 8 / max(n, 1)
}
