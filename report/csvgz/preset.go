package csvgz

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
)

// limitsOf returns the limits on codes that the columns need: four pairs of
// hexadecimal digits, nine decimal digits, a time and two escaped bytes must each
// fit into one step.
func limitsOf(columns []stocktake.Field) []limit {
	limits := []limit{{csvrow.UpperHex, 7}, {`%"`, 8}}
	for _, f := range columns {
		switch f {
		case stocktake.FieldETag, stocktake.FieldSize, stocktake.FieldCRC64, stocktake.FieldLastAccessTimestamp:
			limits = append(limits, limit{csvrow.Decimal, 5})
		case stocktake.FieldLastModifiedDate, stocktake.FieldTransitionTime, stocktake.FieldLastAccessDate:
			limits = append(limits, limit{csvrow.Decimal, 5}, limit{"-", 8})
		}
	}
	return limits
}

// A preset has the code lengths at the beginning of a piece, when no row is known:
// those for a typical row with the columns.
type preset struct {
	columns []stocktake.Field
	limits  []limit
	lengths [numLiterals + numDistances]uint8
}

// lastPreset is the preset that was made last. Most reports of a server have the same
// columns, and to make it takes longer than to encode the report of a small bucket.
var lastPreset atomic.Pointer[preset]

// presetOf returns the preset of the columns.
func presetOf(columns []stocktake.Field) *preset {
	p := lastPreset.Load()
	if p == nil || !slices.Equal(p.columns, columns) {
		p = newPreset(columns)
		lastPreset.Store(p)
	}
	return p
}

func newPreset(columns []stocktake.Field) *preset {
	p := &preset{columns: slices.Clone(columns), limits: limitsOf(columns)}
	var literals [numLiterals]uint32
	var distances [numDistances]uint32
	add := func(s string, n uint32) {
		for i := range len(s) {
			literals[s[i]] += n
		}
	}
	// In units of a fiftieth of a row.
	add("abcdef", 40)
	add("ghijklmnopqrstuvwxyz_.%", 10)
	add(csvrow.Decimal, 20)
	matches := uint32(2)
	for _, f := range columns {
		switch f {
		case stocktake.FieldVersionID:
			add(csvrow.Decimal+"abcdefghijklmnopqrstuvwxyz"+strings.ToUpper("abcdefghijklmnopqrstuvwxyz"), 30)
		case stocktake.FieldSize:
			add(csvrow.Decimal, 30)
		case stocktake.FieldETag:
			add(csvrow.UpperHex, 100)
		case stocktake.FieldCRC64:
			add(csvrow.Decimal, 100)
		case stocktake.FieldLastModifiedDate, stocktake.FieldTransitionTime, stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp:
			add(csvrow.Decimal, 30)
			add("-", 100)
		default:
			continue
		}
		matches++
	}
	add(`",`, 50)
	for n := 3; n <= 64; n += 3 {
		s, _, _ := lengthSymbol(n)
		literals[s] += 50 * matches / 22
	}
	for s := 10; s <= 17; s++ {
		distances[s] += 50 * matches / 8
	}
	fit(p.lengths[:numLiterals], literals[:], p.limits)
	fit(p.lengths[numLiterals:], distances[:], nil)
	return p
}
