package reporttext

import (
	"bufio"
	"fmt"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

// DiffOptions control what a Diff prints.
type DiffOptions struct {
	Only    []string // kinds of changes; empty: all
	Summary bool     // only the totals
	Depth   int      // segments of a key in the prefixes of the totals
	Top     int      // prefixes in the totals
	JSON    bool     // one object per change, and one with the totals
}

// A Diff prints the result of a comparison.
type Diff struct {
	w        *bufio.Writer
	opts     DiffOptions
	all      *Form // for rows that are in one report only
	prefixes *report.PrefixChanges
	buf      []byte
}

// NewDiff returns a Diff that prints to w. columns are those of [DiffColumns].
func NewDiff(w *bufio.Writer, opts DiffOptions, columns []stocktake.Field) *Diff {
	return &Diff{
		w: w, opts: opts, all: JSON(columns), prefixes: report.NewPrefixChanges(opts.Depth),
	}
}

// DiffColumns returns the columns for which the rows of a change have values.
func DiffColumns(before, after report.Rows, compared []stocktake.Field) (columns []stocktake.Field) {
	for _, f := range stocktake.Fields() {
		switch f {
		case stocktake.FieldKey, stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker, stocktake.FieldSize:
			if before.Has(f) || after.Has(f) {
				columns = append(columns, f)
			}
			continue
		}
		if before.Has(f) && after.Has(f) && (compared == nil || slices.Contains(compared, f)) {
			columns = append(columns, f)
		}
	}
	return columns
}

// Change prints a change if the options select its kind.
func (p *Diff) Change(c *report.Change) error {
	p.prefixes.Add(c)
	if p.opts.Summary || len(p.opts.Only) > 0 && !slices.Contains(p.opts.Only, c.Kind.String()) {
		return nil
	}
	if p.opts.JSON {
		p.buf = p.json(p.buf[:0], c)
	} else {
		p.buf = p.line(p.buf[:0], c)
	}
	_, err := p.w.Write(p.buf)
	return err
}

// line appends a change for people: "+ KEY", "- KEY", or "~ KEY" and what
// changed.
func (p *Diff) line(dst []byte, c *report.Change) []byte {
	row := c.New
	if row == nil {
		row = c.Old
	}
	dst = append(dst, "?+-~"[min(int(c.Kind), 3)], ' ')
	dst = append(dst, human.Printable(string(row.Key))...)
	if len(row.VersionID) > 0 {
		dst = append(append(append(dst, " ("...), human.Printable(string(row.VersionID))...), ')')
	}
	if c.Kind != report.Changed {
		if row.IsDeleteMarker {
			return append(dst, "  delete marker\n"...)
		}
		return fmt.Appendf(dst, "  %s\n", human.Size(row.Size))
	}
	for i, f := range c.What {
		if i > 0 {
			dst = append(dst, ',')
		}
		old, new := tableCell(cellOf(nil, c.Old, f), f), tableCell(cellOf(nil, c.New, f), f)
		dst = fmt.Appendf(dst, "  %s %s -> %s", f, human.OrDash(old), human.OrDash(new))
	}
	return append(dst, '\n')
}

// json appends a change as an object.
func (p *Diff) json(dst []byte, c *report.Change) []byte {
	dst = fmt.Appendf(dst, `{"change":%q`, c.Kind.String())
	if c.Kind == report.Changed {
		dst = append(dst, `,"what":[`...)
		for i, f := range c.What {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), jsonName(f)...), '"')
		}
		dst = append(dst, ']')
	}
	if c.Old != nil {
		dst = appendObject(p.all, append(dst, `,"old":`...), c.Old)
	}
	if c.New != nil {
		dst = appendObject(p.all, append(dst, `,"new":`...), c.New)
	}
	return append(dst, '}', '\n')
}

// A totalsLine is the last line of a comparison as JSON.
type totalsLine struct {
	OldRows      int64                 `json:"oldRows"`
	NewRows      int64                 `json:"newRows"`
	Same         int64                 `json:"same"`
	Added        int64                 `json:"added"`
	Removed      int64                 `json:"removed"`
	Changed      int64                 `json:"changed"`
	AddedBytes   int64                 `json:"addedBytes"`
	RemovedBytes int64                 `json:"removedBytes"`
	GrownBytes   int64                 `json:"grownBytes"` // of changed objects
	Compared     []stocktake.Field     `json:"compared"`
	Prefixes     []report.PrefixChange `json:"prefixes"`
	Others       report.PrefixChange   `json:"others"`
}

// Totals prints the totals of the comparison.
func (p *Diff) Totals(sum *report.Comparison) error {
	top, others := p.prefixes.Top(p.opts.Top)
	if p.opts.JSON {
		return terminal.NewEncoder(p.w).Encode(struct {
			Totals totalsLine `json:"totals"`
		}{totalsLine{
			sum.OldRows, sum.NewRows, sum.Same, sum.Added, sum.Removed, sum.Changed,
			sum.AddedBytes, sum.RemovedBytes, sum.GrownBytes, append([]stocktake.Field{}, sum.Columns...), top, others,
		}})
	}
	if sum.Equal() {
		_, err := terminal.Printf(p.w, "no difference: %s in both\n", human.Many(sum.Same, "row"))
		return err
	}
	terminal.Printf(p.w, "\n%s added (%s), %s removed (%s), %s changed (%s), %s the same\n", human.Count(sum.Added), human.Grown(sum.AddedBytes),
		human.Count(sum.Removed), human.Grown(-sum.RemovedBytes), human.Count(sum.Changed), human.Grown(sum.GrownBytes), human.Count(sum.Same))
	t := terminal.NewTable(p.w, "PREFIX", "ADDED", "REMOVED", "CHANGED", "SIZE")
	for _, c := range top {
		name := c.Prefix
		if name == "" {
			name = "(no prefix)"
		}
		t.Row(human.Cut(human.Printable(name)), human.Count(c.Added), human.Count(c.Removed), human.Count(c.Changed), human.Grown(c.Bytes))
	}
	if others.Added+others.Removed+others.Changed > 0 {
		t.Row("all others", human.Count(others.Added), human.Count(others.Removed), human.Count(others.Changed), human.Grown(others.Bytes))
	}
	return t.Flush("")
}
