package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"text/tabwriter"

	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// showTotals adds the report up per storage class and per first path segment.
func showTotals(ctx context.Context, w io.Writer, r *report.Report) error {
	sum, err := readTotals(ctx, r, report.AddUpOptions{})
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
	prefixes, rest := sum.Level(1)
	for _, p := range prefixes[:min(len(prefixes), 10)] {
		sayf(t, "   %s\t%s\t%s\t\n", cut(printable(string(p.Prefix))), many(p.Objects, "object"), size(p.Bytes))
	}
	for _, p := range prefixes[min(len(prefixes), 10):] {
		rest.Objects += p.Objects
		rest.Bytes += p.Bytes
	}
	if rest.Objects > 0 {
		sayf(t, "   all others\t%s\t%s\t\n", many(rest.Objects, "object"), size(rest.Bytes))
	}
	return t.Flush()
}

// readTotals returns the totals that were made with the report, or adds up its
// rows if it has none.
func readTotals(ctx context.Context, r *report.Report, opts report.AddUpOptions) (*rollup.Rollup, error) {
	sums, err := r.ReadRollup(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return r.AddUp(ctx, opts)
	}
	return sums, err
}
