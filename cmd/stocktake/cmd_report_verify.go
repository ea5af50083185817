package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

type reportVerify struct {
	reportPlace
	All    bool `help:"Verify all reports at <where>, not only the newest."`
	Hashes bool `help:"Compare sizes and hashes only: shards are not decompressed."`
	JSON   bool `help:"Print the result as JSON; with --all one object a line."`
}

// errReportWrong is the exit code 1 of a report with faults.
var errReportWrong = errors.New("the report is damaged")

// Run verifies a report, or all at a place.
func (c *reportVerify) Run(ctx context.Context, con console) (err error) {
	if c.All {
		return c.all(ctx, con)
	}
	p, key, err := c.manifest(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	v, err := c.verify(ctx, con, p, key)
	if err != nil {
		return err
	}
	if c.JSON {
		err = terminal.PrintJSON(con.out, v)
	} else {
		sayln(con.out, printable(p.Where(key)))
		reporttext.PrintVerification(con.out, v)
	}
	if err == nil && !v.OK {
		err = errReportWrong
	}
	return err
}

// all verifies each report, and continues after one that is damaged or cannot be
// read.
func (c *reportVerify) all(ctx context.Context, con console) error {
	found, wrong := int64(0), int64(0)
	err := reportplace.Each(ctx, &c.reportRemote, c.Where, func(p *reportplace.Place, manifest string, err error) error {
		found++
		var v *report.Verification
		if err == nil {
			v, err = c.verify(ctx, con, p, manifest)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			wrong++
			sayf(con.err, "WRONG  %s: %s\n", printable(manifest), printable(err.Error()))
			return nil
		case !v.OK:
			wrong++
		}
		if c.JSON {
			return terminal.NewEncoder(con.out).Encode(v)
		}
		sayln(con.out, printable(p.Where(manifest)))
		reporttext.PrintVerification(con.out, v)
		return nil
	})
	switch {
	case err != nil:
		return err
	case found == 0:
		return fmt.Errorf("no complete report (no %s) below %s", report.ManifestName, c.Where)
	case wrong > 0:
		return fmt.Errorf("%s of %d are damaged or cannot be read", many(wrong, "report"), found)
	}
	return nil
}

func (c *reportVerify) verify(ctx context.Context, con console, p *reportplace.Place, manifest string) (*report.Verification, error) {
	line := terminal.NewStatusLine(con.err)
	defer line.Clear()
	return report.Verify(ctx, p.Bucket, manifest, report.VerifyOptions{
		Hashes:   c.Hashes,
		Progress: func(stored int64) { line.Show(size(stored) + " verified") },
	})
}
