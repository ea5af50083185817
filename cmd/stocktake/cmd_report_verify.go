package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stocktake/stocktake/report"
)

type reportVerify struct {
	reportPlace
	JSON bool `help:"Print the result as JSON."`
}

// errReportWrong is the exit code 1 of a report that is not what it says.
var errReportWrong = errors.New("the report is damaged")

// Run verifies a report.
func (c *reportVerify) Run(ctx context.Context, con console) (err error) {
	p, key, err := c.manifest(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	v, err := report.Verify(ctx, p.bucket, key, report.VerifyOptions{})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(con.out, v)
	} else {
		sayln(con.out, printable(p.where(key)))
		printVerification(con.out, v)
	}
	if err == nil && !v.OK {
		err = errReportWrong
	}
	return err
}

func printVerification(w io.Writer, v *report.Verification) {
	if v.OK {
		sayf(w, "verified: %s, %s, %s stored; nothing is wrong\n", many(int64(v.Files), "file"), many(v.Rows, "row"), size(v.Stored))
	}
	for _, f := range v.Findings {
		where := f.File
		if f.Row > 0 {
			where += fmt.Sprintf(" row %d", f.Row)
		}
		sayf(w, "WRONG  %s: %s: %s", printable(where), printable(string(f.Check)), printable(f.Detail))
		if f.Count > 1 {
			sayf(w, " (and %d more)", f.Count-1)
		}
		sayln(w)
	}
	for _, u := range v.Unchecked {
		sayf(w, "not checked: %s\n", printable(u))
	}
}
