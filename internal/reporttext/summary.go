package reporttext

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report/rollup"
)

// titles are the titles of the groups.
var titles = map[string]string{
	"class": "By storage class", "age": "By time since the last change", "size": "By size",
	"prefix": "Largest prefixes", "ext": "By extension",
}

// PrintSummary prints totals: those of all objects, the groups and, unless the
// options select groups, the largest, the oldest and the newest object.
func PrintSummary(w io.Writer, r *rollup.Rollup, groups []Group, opts SummaryOptions) error {
	terminal.Printf(w, "   %s, %s\n", human.Many(r.Objects, "object"), human.Size(r.Bytes))
	if r.Noncurrent.Objects > 0 || r.DeleteMarkers > 0 {
		terminal.Printf(w, "   of these, %s that are not the latest, %s; also %s\n",
			human.Many(r.Noncurrent.Objects, "version"), human.Size(r.Noncurrent.Bytes), human.Many(r.DeleteMarkers, "delete marker"))
	}
	for i := range groups {
		if err := groups[i].print(w, r, opts.Order); err != nil {
			return err
		}
	}
	if len(opts.By) > 0 {
		return nil
	}
	if len(r.Largest) > 0 {
		terminal.Printf(w, "\n== Largest objects\n")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range r.Largest[:min(opts.Top, len(r.Largest))] {
		printObject(t, human.Size(o.Size), &o)
	}
	if r.Oldest != nil && r.Newest != nil {
		terminal.Printf(t, "\n== Oldest and newest\n")
		printObject(t, human.Size(r.Oldest.Size), r.Oldest)
		printObject(t, human.Size(r.Newest.Size), r.Newest)
	}
	return t.Flush()
}

func printObject(w io.Writer, size string, o *rollup.Object) {
	terminal.Printf(w, "   %s\t%s\t%s\t%s\n", size, human.When(o.LastModified), human.Printable(o.StorageClass), human.Cut(human.Printable(string(o.Key))))
}

// barWidth is the length of a full bar, in characters.
const barWidth = 20

// print shows the group as a table with bars: the share of the bytes, or of the
// objects.
func (g *Group) print(w io.Writer, r *rollup.Rollup, order string) error {
	if len(g.Parts) == 0 && g.Others == nil {
		return nil
	}
	terminal.Printf(w, "\n== %s\n", titles[g.By])
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name string, p *Part) {
		part, whole := p.Bytes, r.Bytes
		if order == "objects" {
			part, whole = p.Objects, r.Objects
		}
		if p.AtLeast {
			name += " (at least)"
		}
		terminal.Printf(t, "   %s\t%s\t%s\t%s\t%s\n", name, bar(part, whole), percent(part, whole), human.Size(p.Bytes), human.Many(p.Objects, "object"))
	}
	for i := range g.Parts {
		line(human.Cut(human.Printable(g.Parts[i].Name)), &g.Parts[i])
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
