package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/report"
)

type reportConvert struct {
	reportPlace
	Target string `arg:"" help:"Destination of the new report: a folder, oss://BUCKET/PREFIX or s3://BUCKET/PREFIX." placeholder:"TARGET"`
	selectFlags
	Format string `help:"Format of the new report, such as ${formats}. Default: that of the old report." placeholder:"FORMAT"`
	jsonFlag
}

// Run converts a report.
func (c *reportConvert) Run(ctx context.Context, con console) (err error) {
	opts := report.ConvertOptions{}
	if opts.Format, err = formatFlag(c.Format); err != nil {
		return err
	}
	p, r, err := c.report(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := errIncremental(r); err != nil {
		return err
	}
	sel, err := c.of(r)
	if err != nil {
		return err
	}
	opts.Keys, opts.Match = sel.keys, &sel.match
	opts.Columns = []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey}
	for _, f := range sel.columns {
		if !slices.Contains(opts.Columns, f) {
			opts.Columns = append(opts.Columns, f)
		}
	}
	made, at, err := convertTo(ctx, &c.reportRemote, r, c.Target, opts)
	if err != nil {
		return err
	}
	leftOut := []string{}
	if len(c.Columns) == 0 {
		leftOut = append(leftOut, r.Unread()...)
	}
	reporttext.PrintUnread(con.err, r, c.Columns, "left out")
	return c.say(con, map[string]any{"manifest": at, "rows": made.Summary.Matched, "files": len(made.Manifest.Files), "leftOut": leftOut},
		"wrote %s: %s, %s", printable(at), many(made.Summary.Matched, "row"), many(int64(len(made.Manifest.Files)), "file"))
}

// formatFlag returns the format of a name, in any case; nil for none.
func formatFlag(name string) (report.Format, error) {
	for _, f := range report.Formats() {
		if strings.EqualFold(f.Name(), name) {
			return f, nil
		}
	}
	if name != "" {
		return nil, usagef("--format %s: unknown; the formats are %s", name, formatNames())
	}
	return nil, nil
}

// formatFlagName returns the name of a format as configurations have it.
func formatFlagName(name string) (string, error) {
	switch f, err := formatFlag(name); {
	case err != nil:
		return "", err
	case f == nil:
		return "", usagef("--format: a value is needed; the formats are %s", formatNames())
	default:
		return f.Name(), nil
	}
}

func formatNames() string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, f.Name())
	}
	return strings.Join(names, ", ")
}

// openTarget opens where a report goes. where is its address, with a '/' at the
// end.
func openTarget(at *reportRemote, target string, opts *report.ConvertOptions) (to writePlace, where string, err error) {
	u, ok, err := reportplace.ParseAddress(target)
	if err != nil {
		return to, "", err
	}
	if ok {
		s, err := at.store(u)
		if err != nil {
			return to, "", err
		}
		if opts.Base = u.Path; u.Path != "" && !strings.HasSuffix(u.Path, "/") {
			opts.Base += "/"
		}
		opts.Bucket = u.Bucket
		opts.Address = u.URL() + "/"
		return writePlace{s.Destination(u.Bucket), func() error { return nil }}, u.URL() + "/" + opts.Base, nil
	}
	_, err = os.Stat(target)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(target, 0o700); err != nil {
		return to, "", usageError{err}
	}
	b, err := dirbucket.Open(target)
	if err != nil {
		return to, "", usageError{err}
	}
	return writePlace{b, func() error {
		err := b.Close()
		if made {
			_ = os.Remove(target) // if a failure left it empty; else it stays
		}
		return err
	}}, strings.TrimSuffix(target, "/") + "/", nil
}
