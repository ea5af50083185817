package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/stocktake/stocktake/report/rollup"
)

// A summaryGroup is a table of totals, as JSON has it.
type summaryGroup struct {
	By     string        `json:"by"`
	Parts  []summaryPart `json:"parts"`
	Others *summaryPart  `json:"others,omitempty"` // what no part has
}

// A summaryPart is a line of such a table.
type summaryPart struct {
	Name    string `json:"name,omitempty"`
	From    *int64 `json:"from,omitempty"` // days or bytes, as in manifest.rollup
	AtLeast bool   `json:"atLeast,omitempty"`
	rollup.Tally
}

// groupings are the groups in the order in which they are shown.
var groupings = []string{"class", "age", "size", "prefix", "ext"}

func groupsOf(r *rollup.Rollup, c *reportSummary) []summaryGroup {
	groups := []summaryGroup{}
	for _, by := range groupings {
		if len(c.By) == 0 || slices.Contains(c.By, by) {
			groups = append(groups, groupOf(r, by, c))
		}
	}
	return groups
}

func groupOf(r *rollup.Rollup, by string, c *reportSummary) summaryGroup {
	g := summaryGroup{By: by, Parts: []summaryPart{}}
	var others rollup.Tally
	switch by {
	case "class":
		for _, x := range r.Classes {
			g.Parts = append(g.Parts, summaryPart{Name: x.StorageClass, Tally: tallyOf(x.Count)})
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
		prefixes, rest := r.Level(c.Depth)
		others = rest
		for _, x := range prefixes {
			g.Parts = append(g.Parts, summaryPart{Name: string(x.Prefix), AtLeast: x.AtLeast, Tally: x.Tally})
		}
	case "ext":
		others = tallyOf(r.FoldedExtensions.Count)
		for _, x := range r.Extensions {
			name := "(none)"
			if x.Extension != "" {
				name = "." + x.Extension
			}
			g.Parts = append(g.Parts, summaryPart{Name: name, AtLeast: x.AtLeast, Tally: tallyOf(x.Count)})
		}
	}
	if by == "age" || by == "size" {
		slices.SortFunc(g.Parts, func(a, b summaryPart) int { return cmp.Compare(*a.From, *b.From) })
		for i := range g.Parts {
			g.Parts[i].Name = rangeName(by, *g.Parts[i].From)
		}
		return g
	}
	slices.SortStableFunc(g.Parts, func(a, b summaryPart) int {
		if c.Order == "objects" {
			return cmp.Compare(b.Objects, a.Objects)
		}
		return cmp.Compare(b.Bytes, a.Bytes)
	})
	for _, x := range g.Parts[min(c.Top, len(g.Parts)):] {
		others.Objects += x.Objects
		others.Bytes += x.Bytes
		others.Noncurrent.Objects += x.Noncurrent.Objects
		others.Noncurrent.Bytes += x.Noncurrent.Bytes
		others.DeleteMarkers += x.DeleteMarkers
	}
	g.Parts = g.Parts[:min(c.Top, len(g.Parts))]
	if others != (rollup.Tally{}) {
		g.Others = &summaryPart{Tally: others}
	}
	return g
}

// addRange adds what classes have of one range to one part.
func (g *summaryGroup) addRange(from int64, n rollup.Count) {
	for i := range g.Parts {
		if p := &g.Parts[i]; *p.From == from {
			p.Objects += n.Objects
			p.Bytes += n.Bytes
			return
		}
	}
	g.Parts = append(g.Parts, summaryPart{From: &from, Tally: tallyOf(n)})
}

func tallyOf(n rollup.Count) rollup.Tally { return rollup.Tally{Objects: n.Objects, Bytes: n.Bytes} }

// rangeName says in words which ages or sizes begin at from.
func rangeName(by string, from int64) string {
	switch {
	case from == rollup.AgeUnknown:
		return "unknown"
	case from == rollup.AgeFuture:
		return "after the scan began"
	case by == "size" && from == 0:
		return "empty"
	case by == "size":
		return "from " + size(from)
	case from == 0:
		return "less than 1 day"
	case from == 1:
		return "1 day"
	}
	return fmt.Sprintf("%d to %d days", from, 2*from-1)
}

// titles head the tables of the groups.
var titles = map[string]string{
	"class": "By storage class", "age": "By time since the last change", "size": "By size",
	"prefix": "Largest prefixes", "ext": "By extension",
}

func printSummary(w io.Writer, r *rollup.Rollup, groups []summaryGroup, c *reportSummary) error {
	sayf(w, "   %s, %s\n", many(r.Objects, "object"), size(r.Bytes))
	if r.Noncurrent.Objects > 0 || r.DeleteMarkers > 0 {
		sayf(w, "   of these, %s that are not the latest, %s; besides, %s\n",
			many(r.Noncurrent.Objects, "version"), size(r.Noncurrent.Bytes), many(r.DeleteMarkers, "delete marker"))
	}
	for i := range groups {
		if err := groups[i].print(w, r, c.Order); err != nil {
			return err
		}
	}
	if len(c.By) > 0 {
		return nil
	}
	if len(r.Largest) > 0 {
		sayf(w, "\n== Largest objects\n")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range r.Largest[:min(c.Top, len(r.Largest))] {
		printObject(t, size(o.Size), &o)
	}
	if r.Oldest != nil && r.Newest != nil {
		sayf(t, "\n== Oldest and newest\n")
		printObject(t, size(r.Oldest.Size), r.Oldest)
		printObject(t, size(r.Newest.Size), r.Newest)
	}
	return t.Flush()
}

func printObject(w io.Writer, size string, o *rollup.Object) {
	sayf(w, "   %s\t%s\t%s\t%s\n", size, when(o.LastModified), printable(o.StorageClass), cut(printable(string(o.Key))))
}

// barWidth is the length of a full bar, in characters.
const barWidth = 20

// print shows the group as a table with bars: the share of the bytes, or of the
// objects.
func (g *summaryGroup) print(w io.Writer, r *rollup.Rollup, order string) error {
	if len(g.Parts) == 0 && g.Others == nil {
		return nil
	}
	sayf(w, "\n== %s\n", titles[g.By])
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name string, p *summaryPart) {
		part, whole := p.Bytes, r.Bytes
		if order == "objects" {
			part, whole = p.Objects, r.Objects
		}
		if p.AtLeast {
			name += " (at least)"
		}
		sayf(t, "   %s\t%s\t%s\t%s\t%s\n", name, bar(part, whole), percent(part, whole), size(p.Bytes), many(p.Objects, "object"))
	}
	for i := range g.Parts {
		line(cut(printable(g.Parts[i].Name)), &g.Parts[i])
	}
	if g.Others != nil {
		line("all others", g.Others)
	}
	return t.Flush()
}

func bar(part, whole int64) string {
	n := 0
	if whole > 0 && part > 0 {
		n = min(int(float64(part)/float64(whole)*barWidth+0.5), barWidth)
	}
	return strings.Repeat("#", n) + strings.Repeat(".", barWidth-n)
}

func percent(part, whole int64) string {
	if whole <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}
