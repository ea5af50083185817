package reporttext

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report/rollup"
)

// A Group is a table of totals, in the form of the JSON output.
type Group struct {
	By     string `json:"by"`
	Parts  []Part `json:"parts"`
	Others *Part  `json:"others,omitempty"` // what is in none of the parts
}

// A Part is a line of such a table.
type Part struct {
	Name    string `json:"name,omitempty"`
	From    *int64 `json:"from,omitempty"` // days or bytes, as in manifest.rollup
	AtLeast bool   `json:"atLeast,omitempty"`
	rollup.Tally
}

// SummaryOptions control which groups of a report's totals are shown, and how.
type SummaryOptions struct {
	By    []string // prefix, class, age, size or ext; empty: all
	Depth int      // segments of a key in a prefix
	Top   int      // lines of a group
	Order string   // largest first by "bytes" or by "objects"
}

// groupings are the groups in the order in which they are shown.
var groupings = []string{"class", "age", "size", "prefix", "ext"}

// Groups returns the groups of totals that the options select.
func Groups(r *rollup.Rollup, opts SummaryOptions) []Group {
	groups := []Group{}
	for _, by := range groupings {
		if len(opts.By) == 0 || slices.Contains(opts.By, by) {
			groups = append(groups, groupOf(r, by, opts))
		}
	}
	return groups
}

func groupOf(r *rollup.Rollup, by string, opts SummaryOptions) Group {
	g := Group{By: by, Parts: []Part{}}
	var others rollup.Tally
	switch by {
	case "class":
		for _, x := range r.Classes {
			g.Parts = append(g.Parts, Part{Name: x.StorageClass, Tally: tallyOf(x.Count)})
		}
		return g
	case "age":
		for _, x := range r.Ages {
			g.addRange(x.From, x.Count)
		}
	case "size":
		for _, x := range r.Sizes {
			g.addRange(x.From, x.Count)
		}
	case "prefix":
		prefixes, rest := r.Level(opts.Depth)
		others = rest
		for _, x := range prefixes {
			g.Parts = append(g.Parts, Part{Name: string(x.Prefix), AtLeast: x.AtLeast, Tally: x.Tally})
		}
	case "ext":
		others = tallyOf(r.FoldedExtensions.Count)
		for _, x := range r.Extensions {
			name := "(none)"
			if x.Extension != "" {
				name = "." + x.Extension
			}
			g.Parts = append(g.Parts, Part{Name: name, AtLeast: x.AtLeast, Tally: tallyOf(x.Count)})
		}
	}
	if by == "age" || by == "size" {
		slices.SortFunc(g.Parts, func(a, b Part) int { return cmp.Compare(*a.From, *b.From) })
		for i := range g.Parts {
			g.Parts[i].Name = rangeName(by, *g.Parts[i].From)
		}
		return g
	}
	slices.SortStableFunc(g.Parts, func(a, b Part) int {
		if opts.Order == "objects" {
			return cmp.Compare(b.Objects, a.Objects)
		}
		return cmp.Compare(b.Bytes, a.Bytes)
	})
	for _, x := range g.Parts[min(opts.Top, len(g.Parts)):] {
		others.Objects += x.Objects
		others.Bytes += x.Bytes
		others.Noncurrent.Objects += x.Noncurrent.Objects
		others.Noncurrent.Bytes += x.Noncurrent.Bytes
		others.DeleteMarkers += x.DeleteMarkers
	}
	g.Parts = g.Parts[:min(opts.Top, len(g.Parts))]
	if others != (rollup.Tally{}) {
		g.Others = &Part{Tally: others}
	}
	return g
}

// addRange adds the counts of a class in one range to the part of that range.
func (g *Group) addRange(from int64, n rollup.Count) {
	for i := range g.Parts {
		if p := &g.Parts[i]; *p.From == from {
			p.Objects += n.Objects
			p.Bytes += n.Bytes
			return
		}
	}
	g.Parts = append(g.Parts, Part{From: &from, Tally: tallyOf(n)})
}

func tallyOf(n rollup.Count) rollup.Tally { return rollup.Tally{Objects: n.Objects, Bytes: n.Bytes} }

// rangeName describes the ages or sizes that begin at from.
func rangeName(by string, from int64) string {
	switch {
	case from == rollup.AgeUnknown:
		return "unknown"
	case from == rollup.AgeFuture:
		return "after the scan began"
	case by == "size" && from == 0:
		return "empty"
	case by == "size":
		return "from " + human.Size(from)
	case from == 0:
		return "less than 1 day"
	case from == 1:
		return "1 day"
	}
	return fmt.Sprintf("%d to %d days", from, 2*from-1)
}
