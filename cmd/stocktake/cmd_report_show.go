package main

import (
	"context"
	"errors"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

type reportShow struct {
	reportPlace
	Rows int  `help:"Number of rows to show." default:"10"`
	JSON bool `help:"Print manifest and summary as JSON."`
}

// Run shows a report.
func (c *reportShow) Run(ctx context.Context, con console) (err error) {
	if c.Rows < 0 {
		return usagef("--rows: must be at least 0")
	}
	p, key, err := c.manifest(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if !c.JSON {
		return showReport(ctx, con.out, p, key, showOptions{rows: c.Rows})
	}
	r, err := report.Open(ctx, p.Bucket, key)
	if err != nil {
		return err
	}
	return terminal.PrintJSON(con.out, struct {
		Manifest stocktake.Manifest `json:"manifest"`
		Summary  *stocktake.Summary `json:"summary,omitempty"`
	}{r.Manifest, r.Summary})
}

// showOptions say what showReport shows in addition to the manifest.
type showOptions struct {
	rows   int
	verify bool
}

// showReport shows the report whose manifest has the key manifest.
func showReport(ctx context.Context, w io.Writer, p *reportplace.Place, manifest string, opts showOptions) error {
	r, err := report.Open(ctx, p.Bucket, manifest)
	if err != nil {
		return err
	}
	reporttext.PrintManifest(w, r, p.Where(r.Key))
	if err := reporttext.PrintRows(ctx, w, r, opts.rows); err != nil {
		return err
	}
	if !r.Incremental() { // changes are not objects to be added up
		if err := reporttext.PrintTotals(ctx, w, r); err != nil {
			return err
		}
	}
	if !opts.verify {
		return nil
	}
	v, err := report.Verify(ctx, p.Bucket, manifest, report.VerifyOptions{})
	if err != nil {
		return err
	}
	sayf(w, "\n== ")
	reporttext.PrintVerification(w, v)
	if !v.OK {
		return errReportWrong
	}
	return nil
}
