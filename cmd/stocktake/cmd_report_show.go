package main

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake"
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
		return usagef("--rows: at least 0")
	}
	p, key, err := c.manifest(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if !c.JSON {
		return showReport(ctx, con.out, p, key, showOptions{rows: c.Rows})
	}
	r, err := report.Open(ctx, p.bucket, key)
	if err != nil {
		return err
	}
	return terminal.PrintJSON(con.out, struct {
		Manifest stocktake.Manifest `json:"manifest"`
		Summary  *stocktake.Summary `json:"summary,omitempty"`
	}{r.Manifest, r.Summary})
}
