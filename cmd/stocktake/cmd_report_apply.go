package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/report"
)

type reportApply struct {
	reportPlace
	Windows []string `arg:"" optional:"" help:"Incremental reports to apply, or folders of them. Default: all of the same configuration." placeholder:"WINDOW"`
	Output  string   `required:"" help:"Destination of the new report: a folder, oss://BUCKET/PREFIX or s3://BUCKET/PREFIX." short:"o" placeholder:"TARGET"`
	Format  string   `help:"Format of the new report, such as ${formats}. Default: that of the full report." placeholder:"FORMAT"`
	jsonFlag
}

// Help is shown by --help below the flags.
func (reportApply) Help() string {
	return `The new report is exactly the table at the end of the last window; if that is not possible, the command fails and prints the reason. It leaves out columns that the windows lack. Without a window after the full report, the new report has the same table.`
}

// Run applies incremental reports to a full report.
func (c *reportApply) Run(ctx context.Context, con console) (err error) {
	opts := report.ConvertOptions{Goroutines: 1} // rows come from one merge
	if opts.Format, err = formatFlag(c.Format); err != nil {
		return err
	}
	b, err := reportplace.BringForward(ctx, &c.reportRemote, c.Where, c.Windows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	made, where, err := convertTo(ctx, &c.reportRemote, b.Report, c.Output, opts)
	if err != nil {
		return err
	}
	var dropped []string
	for _, f := range b.Applied.Dropped() {
		dropped = append(dropped, f.String())
	}
	text := "wrote %s: %s as of %s"
	if b.Applied.Windows() == 0 {
		text += "; nothing after the report"
	}
	if len(dropped) > 0 {
		text += "; the windows have no column " + strings.Join(dropped, ", ")
	}
	return c.say(con, map[string]any{
		"manifest": where, "rows": made.Summary.Matched, "files": len(made.Manifest.Files), "windows": b.Windows, "applied": b.Applied.Windows(), "time": made.Time(), "dropped": dropped,
	}, text, printable(where), many(made.Summary.Matched, "row"), when(made.Time()))
}

// errIncremental is the answer to a command that needs a table.
func errIncremental(r *report.Report) error {
	if !r.Incremental() {
		return nil
	}
	return usagef("%s is an incremental report; stocktake report apply joins it with a full report", printable(r.Key))
}

// convertTo writes a report to a target, and returns it with its address.
func convertTo(ctx context.Context, at *reportRemote, r *report.Report, target string, opts report.ConvertOptions) (made *report.Report, where string, err error) {
	to, base, err := openTarget(at, target, &opts)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	manifest, err := report.Convert(ctx, r, reportTarget{to}, opts)
	if errors.Is(err, fs.ErrExist) {
		return nil, "", fmt.Errorf("%s already has a report of that time: %w", base, err)
	}
	if err != nil {
		return nil, "", err
	}
	made, err = report.Open(ctx, to, manifest)
	return made, base + strings.TrimPrefix(manifest, opts.Base), err
}
