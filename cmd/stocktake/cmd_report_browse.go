package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	tea "charm.land/bubbletea/v2"

	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

type reportBrowse struct {
	reportPlace
	Since string `help:"Show what has changed since this report." placeholder:"PLACE"`
}

// Run browses a report on the whole screen.
func (c *reportBrowse) Run(ctx context.Context, con console) (err error) {
	if !isTerminal(con.out) {
		return usagef("report browse needs a terminal; report summary prints the same totals")
	}
	r, sums, closeReport, err := c.open(ctx, con, c.Where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeReport()) }()
	var older *rollup.Rollup
	since := ""
	if c.Since != "" {
		o, oldSums, closeOlder, err := c.open(ctx, con, c.Since)
		if err != nil {
			return err
		}
		if err := closeOlder(); err != nil {
			return err
		}
		older, since = oldSums, when(timeOf(o))
	}
	title := fmt.Sprintf("stocktake  %s, as of %s", r.Manifest.SourceBucket, when(timeOf(r)))
	// The interface of a person at a terminal, who also answers Ctrl-C: a screen that
	// is left as it is would be of no use to the shell.
	_, err = tea.NewProgram(newBrowser(ctx, r, sums, older, title, since), tea.WithContext(ctx), tea.WithOutput(con.out), tea.WithInput(os.Stdin)).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// open reads a report and its totals: from manifest.rollup, or else from all rows.
func (c *reportBrowse) open(ctx context.Context, con console, where string) (*report.Report, *rollup.Rollup, func() error, error) {
	at := reportPlace{remote: c.remote, Where: where}
	p, key, err := at.manifest(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	r, err := report.Open(ctx, p.bucket, key)
	if err != nil {
		return nil, nil, nil, errors.Join(err, p.close())
	}
	sums, err := r.ReadRollup(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		line := newStatusLine(con.err)
		sums, err = r.AddUp(ctx, report.AddUpOptions{Progress: func(rows int64) {
			line.show("reading " + p.where(key) + ": " + many(rows, "row"))
		}})
		line.clear()
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, p.close())
	}
	return r, sums, p.close, nil
}
