package stocktake

import (
	"slices"
	"strings"
)

// Normalized returns c as a server stores it and reads it back: storage classes
// sorted by name, and neither classes nor fields repeated. It shares nothing
// with c.
//
// Source: OSS stores "Standard,IA" and answers "IA,Standard".
func (c InventoryConfiguration) Normalized() InventoryConfiguration {
	classes := slices.Clone(c.Filter.StorageClass)
	slices.SortFunc(classes, func(a, b StorageClass) int { return strings.Compare(a.String(), b.String()) })
	c.Filter.StorageClass = orNil(slices.Compact(classes))
	c.Filter.HasLowerSizeBound = c.Filter.HasLowerSizeBound && c.Filter.LowerSizeBound == 0

	c.OptionalFields = withoutRepeats(c.OptionalFields)
	if c.Schedule.AutoDelete != nil {
		c.Schedule.AutoDelete = new(*c.Schedule.AutoDelete)
	}
	if c.Incremental != nil {
		inc := *c.Incremental
		inc.OptionalFields = withoutRepeats(inc.OptionalFields)
		c.Incremental = &inc
	}
	return c
}

// withoutRepeats copies fields, keeping the first of each; nil if there are none.
func withoutRepeats(fields []Field) []Field {
	var kept []Field
	var seen [256]bool
	for _, f := range fields {
		if !seen[f] {
			seen[f] = true
			kept = append(kept, f)
		}
	}
	return kept
}

func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}
