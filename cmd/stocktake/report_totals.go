package main

import (
	"context"
	"io"
	"text/tabwriter"

	"github.com/stocktake/stocktake/report"
)

// showTotals adds the report up per storage class and per first path segment.
func showTotals(ctx context.Context, w io.Writer, r *report.Report) error {
	sum, err := r.Rollup(ctx, report.RollupOptions{})
	if err != nil {
		return err
	}
	if len(sum.Classes) > 0 {
		sayf(w, "\n== Totals per storage class\n")
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, c := range sum.Classes {
			sayf(t, "   %s\t%s\t%s\t\n", c.StorageClass, many(c.Objects, "object"), size(c.Bytes))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	sayf(w, "\n== Largest prefixes\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, p := range sum.Prefixes {
		name := p.Prefix
		if name == "" {
			name = "(no prefix)"
		}
		sayf(t, "   %s\t%s\t%s\t\n", cut(printable(name)), many(p.Objects, "object"), size(p.Bytes))
	}
	if sum.Others.Objects > 0 {
		sayf(t, "   all others\t%s\t%s\t\n", many(sum.Others.Objects, "object"), size(sum.Others.Bytes))
	}
	return t.Flush()
}
