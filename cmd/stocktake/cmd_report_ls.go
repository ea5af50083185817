package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/stocktake/stocktake/report"
)

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

// A reportLine is a report in a listing.
type reportLine struct {
	Created  time.Time `json:"created"`
	Source   string    `json:"source"`
	Rows     int64     `json:"rows"` // -1: no summary tells
	Files    int       `json:"files"`
	Size     int64     `json:"size"`
	Manifest string    `json:"manifest"`
}

func lineOf(r *report.Report, p *place) reportLine {
	l := reportLine{Created: timeOf(r), Source: r.Manifest.SourceBucket, Rows: -1, Files: len(r.Manifest.Files), Manifest: p.where(r.Key)}
	for _, f := range r.Manifest.Files {
		l.Size += f.Size
	}
	if r.Summary != nil {
		l.Rows = r.Summary.Matched
	}
	return l
}
