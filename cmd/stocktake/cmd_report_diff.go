package main

import (
	"bufio"
	"context"
	"errors"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/report"
)

type reportDiff struct {
	reportRemote
	Before  string   `arg:"" help:"The first report: oss://BUCKET/PATH or a local path of a manifest.json, or of a configuration's reports, which means the newest." placeholder:"BEFORE"`
	After   string   `arg:"" optional:"" help:"The second report, in the same way." placeholder:"AFTER"`
	Windows []string `help:"Apply these incremental reports, or folders of them, to the first report before the comparison. Without a second report, show what they change." placeholder:"WINDOW"`
	Against string   `help:"Compare with the present content of a bucket, oss://BUCKET or s3://BUCKET, instead of a second report. If the report is limited to a prefix, set --prefix." placeholder:"URL"`
	Prefix  string   `help:"Compare only keys that start with this."`
	Columns []string `help:"Compare only these columns. Default: all columns of both reports." short:"c"`
	Only    []string `help:"Print only these changes: ${enum}." enum:"added,removed,changed" placeholder:"KIND"`
	Summary bool     `help:"Print only the totals."`
	Depth   int      `help:"Segments of a key in the prefixes of the totals." default:"1"`
	Top     int      `help:"Number of prefixes in the totals." default:"10"`
	JSON    bool     `help:"Print one JSON object a change, and one with the totals."`
}

// errReportsDiffer is the exit code 1 of reports that are not the same.
var errReportsDiffer = errors.New("the reports differ")

// Run compares two reports.
func (c *reportDiff) Run(ctx context.Context, con console) (err error) {
	if c.After != "" && c.Against != "" || c.After == "" && c.Against == "" && len(c.Windows) == 0 {
		return usagef("name a second report, or a bucket with --against")
	}
	if c.Depth < 1 || c.Top < 0 {
		return usagef("--depth: must be at least 1; --top: must be at least 0")
	}
	before, closeBefore, err := c.open(ctx, c.Before)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBefore()) }()
	var after report.Rows
	if len(c.Windows) > 0 {
		b, err := reportplace.BringForward(ctx, &c.reportRemote, c.Before, c.Windows)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		if c.After == "" && c.Against == "" {
			after = b.Report
		} else {
			before = b.Report
		}
	}
	if after == nil {
		other, closeAfter, err := c.other(ctx, before)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeAfter()) }()
		after = other
	}
	opts := report.DiffOptions{Keys: report.PrefixRange([]byte(c.Prefix))}
	if len(c.Columns) > 0 {
		both := func(f stocktake.Field) bool { return before.Has(f) && after.Has(f) }
		if opts.Columns, err = namedColumns(c.Columns, both, before.Manifest.FileSchema); err != nil {
			return err
		}
	}
	reporttext.PrintUnread(con.err, before, c.Columns, "not compared")
	w := bufio.NewWriterSize(con.out, 64<<10)
	out := reporttext.NewDiff(w, reporttext.DiffOptions{Only: c.Only, Summary: c.Summary, Depth: c.Depth, Top: c.Top, JSON: c.JSON}, reporttext.DiffColumns(before, after, opts.Columns))
	sum, err := report.Diff(ctx, before, after, opts, out.Change)
	if err != nil {
		_ = w.Flush() // what it says of the output, err has said
		return err
	}
	if err := errors.Join(out.Totals(sum), w.Flush()); err != nil {
		return err
	}
	if !sum.Equal() {
		return errReportsDiffer
	}
	return nil
}

func (c *reportDiff) open(ctx context.Context, where string) (*report.Report, func() error, error) {
	p, r, err := reportplace.OpenReport(ctx, &c.reportRemote, where)
	if err != nil {
		return nil, nil, err
	}
	if err := errIncremental(r); err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return r, p.Close, nil
}

// other opens the other side of the comparison.
func (c *reportDiff) other(ctx context.Context, before *report.Report) (report.Rows, func() error, error) {
	if c.Against == "" {
		return c.open(ctx, c.After)
	}
	u, ok, err := reportplace.ParseAddress(c.Against)
	if err != nil {
		return nil, nil, err
	}
	if !ok || u.Path != "" {
		return nil, nil, usagef("--against %q: name a bucket as oss://BUCKET or s3://BUCKET; --prefix says which keys", c.Against)
	}
	l, err := openLive(ctx, &c.reportRemote, u, c.Prefix, before.Has(stocktake.FieldVersionID))
	if err != nil {
		return nil, nil, err
	}
	return l, l.close, nil
}
