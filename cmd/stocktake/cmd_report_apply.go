package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/stocktake/stocktake/internal/reportfolder"
	"github.com/stocktake/stocktake/report"
)

type reportApply struct {
	reportPlace
	Windows []string `arg:"" optional:"" help:"Incremental reports to apply, or folders of them. Default: all of the same configuration." placeholder:"WINDOW"`
	Output  string   `required:"" help:"Destination of the new report: a folder, oss://BUCKET/PREFIX or s3://BUCKET/PREFIX." short:"o" placeholder:"TARGET"`
	Format  string   `help:"Format of the new report, such as ${formats}. Default: that of the full report." placeholder:"FORMAT"`
	jsonFlag
}

// Help is shown by --help below the flags.
func (reportApply) Help() string {
	return `The new report is exactly the table at the end of the last window; if that is not possible, the command fails and prints the reason. It leaves out columns that the windows lack. Without a window after the full report, the new report has the same table.`
}

// Run applies incremental reports to a full report.
func (c *reportApply) Run(ctx context.Context, con console) (err error) {
	opts := report.ConvertOptions{Goroutines: 1} // rows come from one merge
	if opts.Format, err = formatFlag(c.Format); err != nil {
		return err
	}
	b, err := bringForward(ctx, &c.reportPlace, c.Windows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	made, where, err := convertTo(ctx, &c.reportRemote, b.report, c.Output, opts)
	if err != nil {
		return err
	}
	var dropped []string
	for _, f := range b.applied.Dropped() {
		dropped = append(dropped, f.String())
	}
	text := "wrote %s: %s as of %s"
	if b.applied.Windows() == 0 {
		text += "; nothing after the report"
	}
	if len(dropped) > 0 {
		text += "; the windows have no column " + strings.Join(dropped, ", ")
	}
	return c.say(con, map[string]any{
		"manifest": where, "rows": made.Summary.Matched, "files": len(made.Manifest.Files), "windows": b.windows, "applied": b.applied.Windows(), "time": made.Time(), "dropped": dropped,
	}, text, printable(where), many(made.Summary.Matched, "row"), when(made.Time()))
}

// A broughtForward is a full report with windows applied, and the places that they
// are read from.
type broughtForward struct {
	report  *report.Report
	applied *report.Applied
	windows int // that were given
	places  []place
}

func (b *broughtForward) close() error {
	var errs []error
	if b.applied != nil {
		errs = append(errs, b.applied.Close())
	}
	for _, p := range b.places {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// bringForward opens a full report and applies windows: incremental reports,
// folders of them, or by default all those of the full report's configuration.
func bringForward(ctx context.Context, full *reportPlace, windows []string) (b *broughtForward, err error) {
	b = &broughtForward{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
			b = nil
		}
	}()
	p, r, err := full.report(ctx)
	if err != nil {
		return b, err
	}
	b.places = append(b.places, p)
	unnamed := len(windows) == 0
	if unnamed {
		folder, ok := windowsOf(r)
		if !ok {
			return b, usagef("%s: the windows of this report are unknown; name them", printable(p.where(r.Key)))
		}
		windows = []string{p.where(folder)}
	}
	var opened []*report.Report
	for _, where := range windows {
		some, places, err := windowsAt(ctx, &full.reportRemote, where)
		b.places = append(b.places, places...)
		if unnamed && (errors.Is(err, reportfolder.ErrNoWindows) || errors.Is(err, fs.ErrNotExist)) { // none had changes yet
			continue
		}
		if err != nil {
			return b, err
		}
		opened = append(opened, some...)
	}
	b.windows = len(opened)
	if b.applied, err = report.Apply(ctx, r, opened, report.ApplyOptions{}); err != nil {
		return b, err
	}
	b.report = b.applied.Report()
	return b, nil
}

// windowsAt opens the incremental reports that an argument names. The caller closes the places that
// they are read from, even after an error.
func windowsAt(ctx context.Context, at *reportRemote, where string) ([]*report.Report, []place, error) {
	_, elsewhere, err := parseBucketURL(where)
	if err != nil {
		return nil, nil, err
	}
	if !elsewhere {
		w, err := reportfolder.OpenWindows(ctx, where)
		if err != nil {
			return nil, nil, folderError(err)
		}
		return w.Reports, []place{{close: w.Close}}, nil
	}
	p, err := openPlace(at, where)
	if err != nil {
		return nil, nil, err
	}
	windows, err := openWindows(ctx, &p, p.path)
	return windows, []place{p}, err
}

// windowsOf returns the folder of the incremental reports of a full report's
// configuration: next to that of the report.
func windowsOf(r *report.Report) (folder string, ok bool) {
	dir := strings.TrimSuffix(r.Key, "/"+report.ManifestName)
	i := strings.LastIndexByte(dir, '/')
	if dir == r.Key || i < 0 {
		return "", false
	}
	return dir[:i+1] + "incremental_inventory", true
}

// openWindows opens the incremental report at a path, or all below it.
func openWindows(ctx context.Context, p *place, path string) (windows []*report.Report, err error) {
	var keys []string
	if strings.HasSuffix(path, report.ManifestName) {
		keys = append(keys, path)
	} else {
		prefix := strings.TrimSuffix(path, "/") + "/"
		if path == "" {
			prefix = ""
		}
		for key, err := range p.bucket.List(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			if isWindow(key) {
				keys = append(keys, key)
			}
		}
		if len(keys) == 0 {
			return nil, fmt.Errorf("%w below %s", reportfolder.ErrNoWindows, p.where(prefix))
		}
	}
	for _, key := range keys {
		r, err := report.Open(ctx, p.bucket, key)
		if err != nil {
			return nil, err
		}
		windows = append(windows, r)
	}
	return windows, nil
}

// isWindow reports whether a key is that of the manifest of an incremental report.
func isWindow(key string) bool {
	return strings.HasSuffix(key, "/"+report.ManifestName) && strings.Contains("/"+key, "/incremental_inventory/")
}

// errIncremental is the answer to a command that needs a table.
func errIncremental(r *report.Report) error {
	if !r.Incremental() {
		return nil
	}
	return usagef("%s is an incremental report; stocktake report apply joins it with a full report", printable(r.Key))
}

// convertTo writes a report to a target, and returns it with its address.
func convertTo(ctx context.Context, at *reportRemote, r *report.Report, target string, opts report.ConvertOptions) (made *report.Report, where string, err error) {
	to, base, err := openTarget(at, target, &opts)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	manifest, err := report.Convert(ctx, r, reportTarget{to}, opts)
	if errors.Is(err, fs.ErrExist) {
		return nil, "", fmt.Errorf("%s already has a report of that time: %w", base, err)
	}
	if err != nil {
		return nil, "", err
	}
	made, err = report.Open(ctx, to, manifest)
	return made, base + strings.TrimPrefix(manifest, opts.Base), err
}
