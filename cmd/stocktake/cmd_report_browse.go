package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/stocktake/stocktake/internal/browse"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

type reportBrowse struct {
	reportPlace
	Windows []string `help:"Apply these incremental reports, or folders of them, to the report first." placeholder:"WINDOW"`
	Since   string   `help:"Show the changes since this report." placeholder:"PLACE"`
}

// Run browses a report on the whole screen.
func (c *reportBrowse) Run(ctx context.Context, con console) (err error) {
	if !terminal.Is(con.out) {
		return usagef("report browse needs a terminal; report summary prints the same totals")
	}
	r, sums, closeReport, err := c.open(ctx, con, c.Where, c.Windows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeReport()) }()
	var older *rollup.Rollup
	since := ""
	if c.Since != "" {
		o, oldSums, closeOlder, err := c.open(ctx, con, c.Since, nil)
		if err != nil {
			return err
		}
		if err := closeOlder(); err != nil {
			return err
		}
		older, since = oldSums, when(o.Time())
	}
	title := fmt.Sprintf("stocktake  %s, as of %s", r.Manifest.SourceBucket, when(r.Time()))
	return browse.Run(ctx, browse.Subject{Report: r, Sums: sums, Title: title, Older: older, Since: since}, os.Stdin, con.out)
}

// open reads a report and its totals: from manifest.rollup, or else from all rows.
func (c *reportBrowse) open(ctx context.Context, con console, where string, windows []string) (*report.Report, *rollup.Rollup, func() error, error) {
	if len(windows) > 0 {
		b, err := reportplace.BringForward(ctx, &c.reportRemote, where, windows)
		if err != nil {
			return nil, nil, nil, err
		}
		sums, err := addUp(ctx, con, b.Report, where)
		if err != nil {
			return nil, nil, nil, errors.Join(err, b.Close())
		}
		return b.Report, sums, b.Close, nil
	}
	p, r, err := reportplace.OpenReport(ctx, &c.reportRemote, where)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := errIncremental(r); err != nil {
		return nil, nil, nil, errors.Join(err, p.Close())
	}
	sums, err := r.ReadRollup(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		sums, err = addUp(ctx, con, r, p.Where(r.Key))
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, p.Close())
	}
	return r, sums, p.Close, nil
}

// addUp adds up all rows of a report.
func addUp(ctx context.Context, con console, r *report.Report, where string) (*rollup.Rollup, error) {
	line := terminal.NewStatusLine(con.err)
	defer line.Clear()
	return r.AddUp(ctx, report.AddUpOptions{Progress: func(rows int64) {
		line.Show("reading " + where + ": " + many(rows, "row"))
	}})
}
