package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/stocktake/stocktake/report"
)

type reportLs struct {
	remote
	Where string `arg:"" help:"oss://BUCKET/PREFIX, s3://BUCKET/PREFIX, or a local folder." placeholder:"PLACE"`
	JSON  bool   `help:"Print one JSON object a line."`
}

// Run lists reports by key.
func (c *reportLs) Run(ctx context.Context, con console) error {
	reports := c.inBucket
	if !strings.Contains(c.Where, "://") {
		reports = c.inFolder
	}
	t := newTable(con.out, "CREATED", "SOURCE", "ROWS", "FILES", "SIZE", "MANIFEST")
	var found []reportLine
	damaged := 0 // one does not hide the others
	err := reports(ctx, func(l reportLine, err error) {
		if err != nil {
			sayf(con.err, "WRONG  %s\n", printable(err.Error()))
			damaged++
			return
		}
		found = append(found, l)
		rows := "?"
		if l.Rows >= 0 {
			rows = count(l.Rows)
		}
		t.row(when(l.Created), l.Source, rows, l.Files, size(l.Size), l.Manifest)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printLines(con.out, found)
	} else {
		err = t.flush("no complete report below " + printable(c.Where))
	}
	if err == nil && damaged > 0 {
		err = fmt.Errorf("%s cannot be read", many(int64(damaged), "manifest"))
	}
	return err
}

// inBucket calls found for each report in a bucket, with the error of one that
// cannot be read.
func (c *reportLs) inBucket(ctx context.Context, found func(reportLine, error)) (err error) {
	p, err := openPlace(&c.remote, c.Where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for key, err := range p.bucket.List(ctx, p.path) {
		if err != nil {
			return err
		}
		if path.Base(key) == report.ManifestName {
			found(lineAt(ctx, &p, key))
		}
	}
	return nil
}

// inFolder does what inBucket does for a folder, or a file, on this machine.
// The reports of one configuration lie together; those of several may lie
// below.
func (c *reportLs) inFolder(ctx context.Context, found func(reportLine, error)) error {
	where, err := filepath.Abs(c.Where)
	if err != nil {
		return err
	}
	if _, err := os.Stat(where); err != nil {
		return usageError{err}
	}
	return filepath.WalkDir(where, func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if d.Name() != report.ManifestName || !d.Type().IsRegular() {
			return nil
		}
		p, err := openFolder(name)
		if err != nil {
			found(reportLine{}, err)
			return nil
		}
		found(lineAt(ctx, &p, p.path))
		return p.close()
	})
}

// lineAt reads the report whose manifest has the key.
func lineAt(ctx context.Context, p *place, key string) (reportLine, error) {
	r, err := report.Open(ctx, p.bucket, key)
	if err != nil {
		return reportLine{}, err
	}
	return lineOf(r, p), nil
}

// A reportLine is a report in a listing.
type reportLine struct {
	Created  time.Time `json:"created"`
	Source   string    `json:"source"`
	Rows     int64     `json:"rows"` // -1: the report has no summary
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
