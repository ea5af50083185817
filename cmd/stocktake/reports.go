package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// reportCmd is `stocktake report`.
type reportCmd struct {
	Ls     reportLs     `cmd:"" help:"List the reports below a place."`
	Show   reportShow   `cmd:"" help:"Show a report: manifest, first rows, totals, largest prefixes."`
	Verify reportVerify `cmd:"" help:"Check every file of a report against its manifest and summary; exit code 1 if anything is wrong."`
}

// reportPlace is the argument of the commands that take one report.
type reportPlace struct {
	remote
	Where string `arg:"" help:"The report: oss://BUCKET/PATH of a manifest.json or of a configuration's reports, of which the newest is taken; or the same in a folder on this machine." placeholder:"PLACE"`
}

// manifest finds the key of the report's manifest.
func (r *reportPlace) manifest(ctx context.Context) (place, string, error) {
	p, err := openPlace(&r.remote, r.Where)
	if err != nil {
		return p, "", err
	}
	key, err := newestManifest(ctx, p)
	if err != nil {
		return p, "", errors.Join(err, p.close())
	}
	return p, key, nil
}

func newestManifest(ctx context.Context, p place) (string, error) {
	if path.Base(p.path) == report.ManifestName {
		return p.path, nil
	}
	prefix := strings.TrimSuffix(p.path, "/") + "/"
	if p.path == "" {
		prefix = ""
	}
	newest := ""
	for key, err := range p.bucket.List(ctx, prefix) {
		if err != nil {
			return "", err
		}
		if path.Base(key) == report.ManifestName && path.Base(path.Dir(key)) >= path.Base(path.Dir(newest)) {
			newest = key
		}
	}
	if newest == "" {
		return "", fmt.Errorf("there is no complete report (no %s) below %s", report.ManifestName, p.where(prefix))
	}
	return newest, nil
}

type reportLs struct {
	remote
	Where string `arg:"" help:"Where to look: oss://BUCKET/PREFIX, or a folder on this machine with the reports of a configuration." placeholder:"PLACE"`
	JSON  bool   `help:"Print one JSON object a line."`
}

// Run lists reports, oldest first.
func (c *reportLs) Run(ctx context.Context, con console) (err error) {
	p, err := openPlace(&c.remote, c.Where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	t := newTable(con.out, "CREATED", "SOURCE", "ROWS", "FILES", "SIZE", "MANIFEST")
	var found []reportLine
	damaged := 0 // one does not hide the others
	for key, err := range p.bucket.List(ctx, p.list) {
		if err != nil {
			return err
		}
		if path.Base(key) != report.ManifestName {
			continue
		}
		r, err := report.Open(ctx, p.bucket, key)
		if err != nil {
			fmt.Fprintf(con.err, "WRONG  %v\n", err)
			damaged++
			continue
		}
		l := lineOf(r, &p)
		found = append(found, l)
		rows := "?"
		if l.Rows >= 0 {
			rows = count(l.Rows)
		}
		t.row(when(timeOf(r)), l.Source, rows, l.Files, size(l.Size), l.Manifest)
	}
	if c.JSON {
		err = printLines(con.out, found)
	} else {
		err = t.flush("no complete report below " + c.Where)
	}
	if err == nil && damaged > 0 {
		err = fmt.Errorf("%s cannot be read", many(int64(damaged), "manifest"))
	}
	return err
}

type reportShow struct {
	reportPlace
	Rows int  `help:"How many rows to show." default:"10"`
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
	return printJSON(con.out, struct {
		Manifest stocktake.Manifest `json:"manifest"`
		Summary  *stocktake.Summary `json:"summary,omitempty"`
	}{r.Manifest, r.Summary})
}

type reportVerify struct {
	reportPlace
	JSON bool `help:"Print the result as JSON."`
}

// errReportWrong is the exit code 1 of a report that is not what it says.
var errReportWrong = errors.New("the report is not right")

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
		fmt.Fprintln(con.out, printable(p.where(key)))
		printVerification(con.out, v)
	}
	if err == nil && !v.OK {
		err = errReportWrong
	}
	return err
}

func printVerification(w io.Writer, v *report.Verification) {
	if v.OK {
		fmt.Fprintf(w, "verified: %s, %s, %s stored; nothing is wrong\n", many(int64(v.Files), "file"), many(v.Rows, "row"), size(v.Stored))
	}
	for _, f := range v.Findings {
		where := f.File
		if f.Row > 0 {
			where += fmt.Sprintf(" row %d", f.Row)
		}
		fmt.Fprintf(w, "WRONG  %s: %s: %s", printable(where), f.Check, printable(f.Detail))
		if f.Count > 1 {
			fmt.Fprintf(w, " (and %d more)", f.Count-1)
		}
		fmt.Fprintln(w)
	}
	for _, u := range v.Unchecked {
		fmt.Fprintf(w, "not checked: %s\n", printable(u))
	}
}
