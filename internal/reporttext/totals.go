package reporttext

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"text/tabwriter"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// PrintTotals prints the totals of a report by storage class and by first path
// segment.
func PrintTotals(ctx context.Context, w io.Writer, r *report.Report) error {
	sum, err := ReadTotals(ctx, r, report.AddUpOptions{})
	if err != nil {
		return err
	}
	if len(sum.Classes) > 0 {
		terminal.Printf(w, "\n== Totals per storage class\n")
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, c := range sum.Classes {
			terminal.Printf(t, "   %s\t%s\t%s\t\n", c.StorageClass, human.Many(c.Objects, "object"), human.Size(c.Bytes))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	terminal.Printf(w, "\n== Largest prefixes\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	prefixes, rest := sum.Level(1)
	for _, p := range prefixes[:min(len(prefixes), 10)] {
		terminal.Printf(t, "   %s\t%s\t%s\t\n", human.Cut(human.Printable(string(p.Prefix))), human.Many(p.Objects, "object"), human.Size(p.Bytes))
	}
	for _, p := range prefixes[min(len(prefixes), 10):] {
		rest.Objects += p.Objects
		rest.Bytes += p.Bytes
	}
	if rest.Objects > 0 {
		terminal.Printf(t, "   all others\t%s\t%s\t\n", human.Many(rest.Objects, "object"), human.Size(rest.Bytes))
	}
	return t.Flush()
}

// ReadTotals returns the totals stored with the report. If there are none, it adds
// up the rows.
func ReadTotals(ctx context.Context, r *report.Report, opts report.AddUpOptions) (*rollup.Rollup, error) {
	sums, err := r.ReadRollup(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return r.AddUp(ctx, opts)
	}
	return sums, err
}
