package main

import (
	"context"
	"errors"
	"io"

	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

type reportSummary struct {
	reportPlace
	By    []string `help:"Group by prefix, class, age, size or ext. May be repeated. Default: all groups." enum:"prefix,class,age,size,ext" placeholder:"GROUP"`
	Depth int      `help:"Number of key segments in a prefix. If the totals of the report have fewer, its rows are read." default:"1"`
	Top   int      `help:"Show at most this many prefixes, extensions and largest objects." default:"10"`
	Order string   `help:"Largest first by bytes or by objects." enum:"bytes,objects" default:"bytes"`
	JSON  bool     `help:"Print JSON: all totals, or with --by its groups."`
}

// Run shows the totals of a report.
func (c *reportSummary) Run(ctx context.Context, con console) (err error) {
	if c.Depth < 1 || c.Depth > rollup.MaxDepth {
		return usagef("--depth: must be 1 to %d", rollup.MaxDepth)
	}
	if c.Top < 1 {
		return usagef("--top: must be at least 1")
	}
	p, r, err := c.report(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	sums, err := c.totals(ctx, con.err, r)
	if err != nil {
		return err
	}
	opts := reporttext.SummaryOptions{By: c.By, Depth: c.Depth, Top: c.Top, Order: c.Order}
	groups := reporttext.Groups(sums, opts)
	switch {
	case c.JSON && len(c.By) == 0:
		return terminal.PrintJSON(con.out, sums)
	case c.JSON:
		return terminal.PrintJSON(con.out, groups)
	}
	sayf(con.out, "== %s, as of %s\n", printable(p.Where(r.Key)), when(r.Time()))
	return reporttext.PrintSummary(con.out, sums, groups, opts)
}

// totals returns the totals that were made with the report, or those of its rows
// if it has none that are deep enough.
func (c *reportSummary) totals(ctx context.Context, w io.Writer, r *report.Report) (*rollup.Rollup, error) {
	line := terminal.NewStatusLine(w)
	defer line.Clear()
	opts := report.AddUpOptions{Depth: max(c.Depth, rollup.DefaultDepth), Progress: func(rows int64) {
		text := many(rows, "row") + " read"
		if r.Summary != nil && r.Summary.Matched > 0 {
			text += " of " + count(r.Summary.Matched)
		}
		line.Show(text)
	}}
	sums, err := reporttext.ReadTotals(ctx, r, opts)
	if err == nil && sums.Depth < c.Depth {
		return r.AddUp(ctx, opts)
	}
	return sums, err
}
