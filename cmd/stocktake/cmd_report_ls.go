package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

type reportLs struct {
	reportRemote
	Where string `arg:"" help:"oss://BUCKET/PREFIX, s3://BUCKET/PREFIX, or a local folder." placeholder:"PLACE"`
	JSON  bool   `help:"Print one JSON object a line."`
}

// Run lists reports by key.
func (c *reportLs) Run(ctx context.Context, con console) error {
	t := terminal.NewTable(con.out, "CREATED", "KIND", "SOURCE", "ROWS", "FILES", "SIZE", "MANIFEST")
	var found []reportLine
	damaged := 0 // one does not hide the others
	err := reportplace.Each(ctx, &c.reportRemote, c.Where, func(p *reportplace.Place, manifest string, err error) error {
		var l reportLine
		if err == nil {
			l, err = lineAt(ctx, p, manifest)
		}
		if err != nil {
			sayf(con.err, "WRONG  %s\n", printable(err.Error()))
			damaged++
			return ctx.Err()
		}
		found = append(found, l)
		rows := "?"
		if l.Rows >= 0 {
			rows = count(l.Rows)
		}
		t.Row(when(l.Created), l.Kind, l.Source, rows, l.Files, size(l.Size), l.Manifest)
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = terminal.PrintLines(con.out, found)
	} else {
		err = t.Flush("no complete report below " + printable(c.Where))
	}
	if err == nil && damaged > 0 {
		err = fmt.Errorf("%s cannot be read", many(int64(damaged), "manifest"))
	}
	return err
}

// lineAt reads the report whose manifest has the key.
func lineAt(ctx context.Context, p *reportplace.Place, key string) (reportLine, error) {
	r, err := report.Open(ctx, p.Bucket, key)
	if err != nil {
		return reportLine{}, err
	}
	return lineOf(r, p), nil
}

// A reportLine is a report in a listing.
type reportLine struct {
	Created  time.Time         `json:"created"` // of an incremental report, the end of its window
	Kind     stocktake.RunKind `json:"kind"`
	Source   string            `json:"source"`
	Rows     int64             `json:"rows"` // -1: the report has no summary
	Files    int               `json:"files"`
	Size     int64             `json:"size"`
	Manifest string            `json:"manifest"`
}

func lineOf(r *report.Report, p *reportplace.Place) reportLine {
	l := reportLine{Created: r.Time(), Kind: stocktake.FullRun, Source: r.Manifest.SourceBucket, Rows: -1, Files: len(r.Manifest.Files), Manifest: p.Where(r.Key)}
	for _, f := range r.Manifest.Files {
		l.Size += f.Size
	}
	if r.Incremental() {
		l.Kind = stocktake.IncrementalRun
	}
	if r.Summary != nil {
		l.Rows = r.Summary.Matched
	}
	return l
}
