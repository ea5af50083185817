package csvgz

// ChangeCodes begins a block with codes fitted to counts, of literals and
// lengths and then of distances.
func (e *Encoder) ChangeCodes(counts [numLiterals + numDistances]uint32) {
	c := e.cursor.flush(e)
	c = c.put(uint64(e.literal[endOfBlock])).spill(&e.out)
	fit(e.literalLens[:], counts[:numLiterals], e.preset.limits)
	fit(e.distanceLens[:], counts[numLiterals:], nil)
	e.cursor = c.block(e)
}

// NumCounts is the number of counts.
const NumCounts = numLiterals + numDistances
