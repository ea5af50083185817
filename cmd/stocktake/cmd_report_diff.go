package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

type reportDiff struct {
	reportRemote
	Before  string   `arg:"" help:"The first report: oss://BUCKET/PATH or a local path of a manifest.json, or of a configuration's reports, which means the newest." placeholder:"BEFORE"`
	After   string   `arg:"" optional:"" help:"The second report, in the same way." placeholder:"AFTER"`
	Windows []string `help:"Bring the first report forward with these incremental reports, or folders of them, before it is compared. Without a second report it is compared with itself: what has changed." placeholder:"WINDOW"`
	Against string   `help:"Compare with a bucket as it is now, oss://BUCKET or s3://BUCKET, instead of a second report. If the report has only keys with a prefix, say --prefix." placeholder:"URL"`
	Prefix  string   `help:"Compare only keys that start with this."`
	Columns []string `help:"Compare the values of these columns, not of all that both have." short:"c"`
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
		return usagef("--depth: at least 1; --top: at least 0")
	}
	before, closeBefore, err := c.open(ctx, c.Before)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBefore()) }()
	var after report.Rows
	if len(c.Windows) > 0 {
		b, err := bringForward(ctx, &reportPlace{reportRemote: c.reportRemote, Where: c.Before}, c.Windows)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.close()) }()
		if c.After == "" && c.Against == "" {
			after = b.report
		} else {
			before = b.report
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
	w := bufio.NewWriterSize(con.out, 64<<10)
	out := newDiffPrinter(w, c, shownColumns(before, after, opts.Columns))
	sum, err := report.Diff(ctx, before, after, opts, out.change)
	if err != nil {
		return errors.Join(err, w.Flush())
	}
	if err := errors.Join(out.totals(sum), w.Flush()); err != nil {
		return err
	}
	if !sum.Equal() {
		return errReportsDiffer
	}
	return nil
}

func (c *reportDiff) open(ctx context.Context, where string) (*report.Report, func() error, error) {
	at := reportPlace{reportRemote: c.reportRemote, Where: where}
	p, key, err := at.manifest(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := report.Open(ctx, p.bucket, key)
	if err == nil {
		err = errIncremental(r)
	}
	if err != nil {
		return nil, nil, errors.Join(err, p.close())
	}
	return r, p.close, nil
}

// other opens the other side of the comparison.
func (c *reportDiff) other(ctx context.Context, before *report.Report) (report.Rows, func() error, error) {
	if c.Against == "" {
		return c.open(ctx, c.After)
	}
	u, ok, err := parseBucketURL(c.Against)
	if err != nil {
		return nil, nil, err
	}
	if !ok || u.path != "" {
		return nil, nil, usagef("--against %q: name a bucket as oss://BUCKET or s3://BUCKET; --prefix says which keys", c.Against)
	}
	l, err := openLive(ctx, &c.reportRemote, u, c.Prefix, before.Has(stocktake.FieldVersionID))
	if err != nil {
		return nil, nil, err
	}
	return l, l.close, nil
}

// A diffPrinter prints the result of a comparison.
type diffPrinter struct {
	w        *bufio.Writer
	flags    *reportDiff
	all      *rowForm // of rows that one report alone has
	prefixes *report.PrefixChanges
	buf      []byte
}

func newDiffPrinter(w *bufio.Writer, flags *reportDiff, columns []stocktake.Field) *diffPrinter {
	return &diffPrinter{
		w: w, flags: flags, prefixes: report.NewPrefixChanges(flags.Depth),
		all: &rowForm{columns: columns, buf: make([]byte, 0, 64)},
	}
}

// shownColumns returns the columns that the rows of a change have values of.
func shownColumns(before, after report.Rows, compared []stocktake.Field) (columns []stocktake.Field) {
	for _, f := range stocktake.Fields() {
		switch f {
		case stocktake.FieldKey, stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker, stocktake.FieldSize:
			if before.Has(f) || after.Has(f) {
				columns = append(columns, f)
			}
			continue
		}
		if before.Has(f) && after.Has(f) && (compared == nil || slices.Contains(compared, f)) {
			columns = append(columns, f)
		}
	}
	return columns
}

func (p *diffPrinter) change(c *report.Change) error {
	p.prefixes.Add(c)
	if p.flags.Summary || len(p.flags.Only) > 0 && !slices.Contains(p.flags.Only, c.Kind.String()) {
		return nil
	}
	if p.flags.JSON {
		p.buf = p.json(p.buf[:0], c)
	} else {
		p.buf = p.line(p.buf[:0], c)
	}
	_, err := p.w.Write(p.buf)
	return err
}

// line appends a change for people: "+ KEY", "- KEY", or "~ KEY" and what
// changed.
func (p *diffPrinter) line(dst []byte, c *report.Change) []byte {
	row := c.New
	if row == nil {
		row = c.Old
	}
	dst = append(dst, "?+-~"[min(int(c.Kind), 3)], ' ')
	dst = append(dst, printable(string(row.Key))...)
	if len(row.VersionID) > 0 {
		dst = append(append(append(dst, " ("...), printable(string(row.VersionID))...), ')')
	}
	if c.Kind != report.Changed {
		if row.IsDeleteMarker {
			return append(dst, "  delete marker\n"...)
		}
		return fmt.Appendf(dst, "  %s\n", size(row.Size))
	}
	for i, f := range c.What {
		if i > 0 {
			dst = append(dst, ',')
		}
		old, new := tableCell(cellOf(nil, c.Old, f), f), tableCell(cellOf(nil, c.New, f), f)
		dst = fmt.Appendf(dst, "  %s %s -> %s", f, orDash(old), orDash(new))
	}
	return append(dst, '\n')
}

// json appends a change as an object.
func (p *diffPrinter) json(dst []byte, c *report.Change) []byte {
	dst = fmt.Appendf(dst, `{"change":%q`, c.Kind.String())
	if c.Kind == report.Changed {
		dst = append(dst, `,"what":[`...)
		for i, f := range c.What {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), jsonName(f)...), '"')
		}
		dst = append(dst, ']')
	}
	if c.Old != nil {
		dst = appendObject(p.all, append(dst, `,"old":`...), c.Old)
	}
	if c.New != nil {
		dst = appendObject(p.all, append(dst, `,"new":`...), c.New)
	}
	return append(dst, '}', '\n')
}

// A diffTotals is the last line of a comparison as JSON.
type diffTotals struct {
	OldRows      int64                 `json:"oldRows"`
	NewRows      int64                 `json:"newRows"`
	Same         int64                 `json:"same"`
	Added        int64                 `json:"added"`
	Removed      int64                 `json:"removed"`
	Changed      int64                 `json:"changed"`
	AddedBytes   int64                 `json:"addedBytes"`
	RemovedBytes int64                 `json:"removedBytes"`
	GrownBytes   int64                 `json:"grownBytes"` // of those that changed
	Compared     []stocktake.Field     `json:"compared"`
	Prefixes     []report.PrefixChange `json:"prefixes"`
	Others       report.PrefixChange   `json:"others"`
}

// totals prints what was found in all.
func (p *diffPrinter) totals(sum *report.Comparison) error {
	top, others := p.prefixes.Top(p.flags.Top)
	if p.flags.JSON {
		return terminal.NewEncoder(p.w).Encode(struct {
			Totals diffTotals `json:"totals"`
		}{diffTotals{
			sum.OldRows, sum.NewRows, sum.Same, sum.Added, sum.Removed, sum.Changed,
			sum.AddedBytes, sum.RemovedBytes, sum.GrownBytes, append([]stocktake.Field{}, sum.Columns...), top, others,
		}})
	}
	if sum.Equal() {
		_, err := sayf(p.w, "no difference: %s in both\n", many(sum.Same, "row"))
		return err
	}
	sayf(p.w, "\n%s added (%s), %s removed (%s), %s changed (%s), %s the same\n", count(sum.Added), human.Grown(sum.AddedBytes),
		count(sum.Removed), human.Grown(-sum.RemovedBytes), count(sum.Changed), human.Grown(sum.GrownBytes), count(sum.Same))
	t := terminal.NewTable(p.w, "PREFIX", "ADDED", "REMOVED", "CHANGED", "SIZE")
	for _, c := range top {
		name := c.Prefix
		if name == "" {
			name = "(no prefix)"
		}
		t.Row(cut(printable(name)), count(c.Added), count(c.Removed), count(c.Changed), human.Grown(c.Bytes))
	}
	if others.Added+others.Removed+others.Changed > 0 {
		t.Row("all others", count(others.Added), count(others.Removed), count(others.Changed), human.Grown(others.Bytes))
	}
	return t.Flush("")
}
