package reportplace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/reportfolder"
	"github.com/stocktake/stocktake/report"
)

// A Forward is a full report with windows applied, and the places that they are read
// from.
type Forward struct {
	Report  *report.Report
	Applied *report.Applied
	Windows int // that were given

	places []*Place
}

// Close closes the report and the places.
func (f *Forward) Close() error {
	var errs []error
	if f.Applied != nil {
		errs = append(errs, f.Applied.Close())
	}
	for _, p := range f.places {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// BringForward opens the full report at a place and applies windows: incremental reports,
// folders of them, or by default all those of the full report's configuration. The
// caller closes it. Errors: those of Open and [report.Apply], and
// [reportfolder.ErrNoWindows].
func BringForward(ctx context.Context, buckets Buckets, full string, windows []string) (f *Forward, err error) {
	f = &Forward{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
			f = nil
		}
	}()
	p, r, err := OpenReport(ctx, buckets, full)
	if err != nil {
		return f, err
	}
	f.places = append(f.places, p)
	unnamed := len(windows) == 0
	if unnamed {
		folder, ok := windowsOf(r)
		if !ok {
			return f, wrong("%s: the windows of this report are unknown; name them", human.Printable(p.Where(r.Key)))
		}
		windows = []string{p.Where(folder)}
	}
	var opened []*report.Report
	for _, where := range windows {
		some, p, err := windowsAt(ctx, buckets, where)
		if p != nil {
			f.places = append(f.places, p)
		}
		if unnamed && (errors.Is(err, reportfolder.ErrNoWindows) || errors.Is(err, fs.ErrNotExist)) { // none had changes yet
			continue
		}
		if err != nil {
			return f, err
		}
		opened = append(opened, some...)
	}
	f.Windows = len(opened)
	if f.Applied, err = report.Apply(ctx, r, opened, report.ApplyOptions{}); err != nil {
		return f, err
	}
	f.Report = f.Applied.Report()
	return f, nil
}

// windowsAt opens the incremental reports that an argument names. The caller closes the place that
// they are read from, even after an error, unless it is nil.
func windowsAt(ctx context.Context, buckets Buckets, where string) ([]*report.Report, *Place, error) {
	_, elsewhere, err := ParseAddress(where)
	if err != nil {
		return nil, nil, err
	}
	if !elsewhere {
		w, err := reportfolder.OpenWindows(ctx, where)
		if err != nil {
			return nil, nil, err
		}
		return w.Reports, &Place{close: w.Close}, nil
	}
	p, err := Open(ctx, buckets, where)
	if err != nil {
		return nil, nil, err
	}
	windows, err := openWindows(ctx, p)
	return windows, p, err
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

// openWindows opens the incremental report at a place, or all below it.
func openWindows(ctx context.Context, p *Place) (windows []*report.Report, err error) {
	var keys []string
	if strings.HasSuffix(p.Path, report.ManifestName) {
		keys = append(keys, p.Path)
	} else {
		prefix := p.prefix()
		for key, err := range p.Bucket.List(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			if isWindow(key) {
				keys = append(keys, key)
			}
		}
		if len(keys) == 0 {
			return nil, fmt.Errorf("%w below %s", reportfolder.ErrNoWindows, p.Where(prefix))
		}
	}
	for _, key := range keys {
		r, err := report.Open(ctx, p.Bucket, key)
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
