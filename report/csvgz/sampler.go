package csvgz

import (
	"strings"

	"github.com/stocktake/stocktake"
)

// A sampler counts the symbols of some rows, to fit codes to them.
type sampler struct {
	event     int64 // the row before which tune is due
	sampling  bool
	counted   int   // how much of text has been counted
	sampled   int64 // rows counted
	symbols   [numLiterals]uint32
	distances [numDistances]uint32
}

// The rows that are counted.
const (
	firstFit   = 64    // a file's first rows are all counted, then codes are fitted
	burst      = 8     // after that, this many rows
	everyFirst = 128   // of so many,
	secondFit  = 1024  // until codes are fitted again,
	every      = 2048  // and of so many from there on,
	everyFit   = 16384 // with codes fitted to them
)

func (s *sampler) reset() {
	*s = sampler{}
}

// tune is called at e.event.
func (c cursor) tune(e *Encoder) cursor {
	c = c.flush(e)
	rows := e.rows
	if e.sampling {
		e.sampleTo(c.text)
		e.sampling = false
		e.reach = fastDistance
		switch {
		case rows == firstFit, rows == secondFit+burst, rows%everyFit == burst:
			c = c.refit(e)
		}
		if rows < secondFit {
			e.event = rows - rows%everyFirst + everyFirst
		} else {
			e.event = rows - rows%every + every
		}
		return c
	}
	e.sampling = true
	e.counted = c.text
	e.reach = 0
	e.event = rows + burst
	if rows == 0 {
		e.event = firstFit
	}
	return c
}

// sampleTo counts the literals up to an index of e.text.
func (e *Encoder) sampleTo(text int) {
	if !e.sampling {
		return
	}
	for _, b := range e.text[e.counted:max(text, e.counted)] {
		e.symbols[b]++
	}
	e.counted = text
}

// sampleMatch counts a match that ends at an index of e.text.
func (e *Encoder) sampleMatch(text, n, d int) {
	if !e.sampling {
		return
	}
	s, _, _ := lengthSymbol(n)
	e.symbols[s]++
	s, _, _ = distanceSymbol(d)
	e.distances[s]++
	e.counted = text
}

// refit begins a block with codes fitted to what was counted, if they are worth
// it.
func (c cursor) refit(e *Encoder) cursor {
	var lens [numLiterals]uint8
	var dlens [numDistances]uint8
	var counts [numLiterals]uint32
	var dcounts [numDistances]uint32
	for i, n := range e.symbols {
		counts[i] = n*16 + 1
	}
	for i, n := range e.distances {
		dcounts[i] = n*16 + 1
	}
	fit(lens[:], counts[:], e.limits)
	codeLengths(dlens[:], dcounts[:], maxCode)
	old, now := 0, 0
	for i, n := range e.symbols {
		old += int(n) * int(e.literalLens[i])
		now += int(n) * int(lens[i])
	}
	for i, n := range e.distances {
		old += int(n) * int(e.distanceLens[i])
		now += int(n) * int(dlens[i])
	}
	for i := range e.symbols {
		e.symbols[i] /= 2
	}
	for i := range e.distances {
		e.distances[i] /= 2
	}
	if (old-now)*16 < headerBits {
		return c
	}
	c = c.put(uint64(e.literal[endOfBlock])).spill(&e.out)
	e.literalLens, e.distanceLens = lens, dlens
	e.build()
	return c.header(e)
}

// limitsOf are the limits that the steps of columns need.
func limitsOf(columns []stocktake.Field) []limit {
	l := []limit{{upperHex, 7}, {`%"`, 8}}
	for _, f := range columns {
		switch f {
		case stocktake.FieldETag:
			l = append(l, limit{decimal, 5})
		case stocktake.FieldSize, stocktake.FieldCRC64, stocktake.FieldLastAccessTimestamp:
			l = append(l, limit{decimal, 5})
		case stocktake.FieldLastModifiedDate, stocktake.FieldTransitionTime, stocktake.FieldLastAccessDate:
			l = append(l, limit{decimal, 5}, limit{"-", 8})
		}
	}
	return l
}

// presetLengths sets e.preset to lengths that fit the first rows well.
func (e *Encoder) presetLengths(bucket string, columns []stocktake.Field) {
	var counts [numLiterals]uint32
	var dcounts [numDistances]uint32
	for i := range counts {
		counts[i] = 1
	}
	for i := range dcounts {
		dcounts[i] = 1
	}
	for _, s := range []string{strings.Repeat(decimal, 40), strings.Repeat("ABCDEF", 20), strings.Repeat("abcdef", 10), strings.Repeat("abcdefghijklmnopqrstuvwxyz", 3), strings.Repeat(`-",%`, 10)} {
		for i := range len(s) {
			counts[s[i]] += 4
		}
	}
	fit(e.preset[:numLiterals], counts[:], e.limits)
	codeLengths(e.preset[numLiterals:], dcounts[:], maxCode)
}
