package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/report"
)

type reportConvert struct {
	reportPlace
	Target string `arg:"" help:"Where the new report goes: a folder, oss://BUCKET/PREFIX or s3://BUCKET/PREFIX." placeholder:"TARGET"`
	selectFlags
	Format string `help:"Format of the new report, such as ${formats}; without it, that of the old one." placeholder:"FORMAT"`
	jsonFlag
}

// Run converts a report.
func (c *reportConvert) Run(ctx context.Context, con console) (err error) {
	opts := report.ConvertOptions{}
	if c.Format != "" {
		i := slices.IndexFunc(report.Formats(), func(f report.Format) bool { return strings.EqualFold(f.Name(), c.Format) })
		if i < 0 {
			return usagef("--format %s: there are %s", c.Format, formatNames())
		}
		opts.Format = report.Formats()[i]
	}
	p, r, err := c.report(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
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
	to, where, err := c.target(&opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	manifest, err := report.Convert(ctx, r, reportTarget{to}, opts)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s has a report of that time already: %w", where, err)
	}
	if err != nil {
		return err
	}
	made, err := report.Open(ctx, to, manifest)
	if err != nil {
		return err
	}
	at := where + strings.TrimPrefix(manifest, opts.Base)
	return c.say(con, map[string]any{"manifest": at, "rows": made.Summary.Matched, "files": len(made.Manifest.Files)},
		"wrote %s: %s, %s", printable(at), many(made.Summary.Matched, "row"), many(int64(len(made.Manifest.Files)), "file"))
}

func formatNames() string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, f.Name())
	}
	return strings.Join(names, ", ")
}

// target opens where the report goes. where is its address, with a '/' at the
// end.
func (c *reportConvert) target(opts *report.ConvertOptions) (to writePlace, where string, err error) {
	u, ok, err := parseBucketURL(c.Target)
	if err != nil {
		return to, "", err
	}
	if ok {
		s, err := c.store(u)
		if err != nil {
			return to, "", err
		}
		if opts.Base = u.path; u.path != "" && !strings.HasSuffix(u.path, "/") {
			opts.Base += "/"
		}
		opts.Bucket = u.bucket
		opts.Address = u.name() + "/"
		return writePlace{s.Destination(u.bucket), func() error { return nil }}, u.name() + "/" + opts.Base, nil
	}
	if err := os.MkdirAll(c.Target, 0o700); err != nil {
		return to, "", usageError{err}
	}
	b, err := dirbucket.Open(c.Target)
	if err != nil {
		return to, "", usageError{err}
	}
	return writePlace{b, b.Close}, strings.TrimSuffix(c.Target, "/") + "/", nil
}
