package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/report"
)

// openFolder finds the report that a path on this machine means: a
// manifest.json, the folder it lies in, or the folder of a configuration's
// reports, whose newest it returns.
func openFolder(where string) (place, error) {
	manifest, err := findManifest(where)
	if err != nil {
		return place{}, err
	}
	// <folder>/data/ and <folder>/<time>/manifest.json lie side by side; an incremental
	// report has <folder>/<time>/data/.
	folder := filepath.Dir(filepath.Dir(manifest))
	b, err := dirbucket.Open(folder)
	if err != nil {
		return place{}, usageError{err}
	}
	rel := filepath.ToSlash(filepath.Join(filepath.Base(filepath.Dir(manifest)), report.ManifestName))
	r, err := report.Open(context.Background(), b, rel)
	if err != nil {
		return place{}, errors.Join(err, b.Close())
	}
	base := baseOf(r)
	return place{bucket: b.WithBase(base), path: base + rel, name: folder, base: base, close: b.Close}, nil
}

// findManifest finds the manifest.json that where means.
func findManifest(where string) (manifest string, err error) {
	if where, err = filepath.Abs(where); err != nil {
		return "", err
	}
	st, err := os.Stat(where)
	if err != nil {
		return "", usageError{err}
	}
	if !st.IsDir() {
		if filepath.Base(where) != report.ManifestName {
			return "", usagef("%s is neither a %s nor a folder", where, report.ManifestName)
		}
		return where, nil
	}
	if m := filepath.Join(where, report.ManifestName); fileExists(m) {
		return m, nil
	}
	all, err := filepath.Glob(filepath.Join(globEscape(where), "[0-9]*Z", report.ManifestName))
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", fmt.Errorf("%s holds no report: name a %s, its folder, or the folder that holds it and data/", where, report.ManifestName)
	}
	return slices.Max(all), nil // the names are times, and sort as such
}

func fileExists(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().IsRegular()
}

// globEscape escapes what filepath.Glob would read as a pattern.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// openWindowFolder opens the incremental reports on this machine that where means: a
// manifest.json, or all below a folder, whatever its name. Full reports are passed
// over. The caller closes the places that the reports are read from, also with an error.
func openWindowFolder(ctx context.Context, where string) (windows []*report.Report, places []place, err error) {
	if where, err = filepath.Abs(where); err != nil {
		return nil, nil, err
	}
	if where, err = filepath.EvalSymlinks(where); err != nil { // WalkDir would not follow it
		return nil, nil, usageError{err}
	}
	open := map[string]*dirbucket.Bucket{} // by the folder above those of reports
	err = filepath.WalkDir(where, func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if d.Name() != report.ManifestName || !d.Type().IsRegular() {
			return nil
		}
		folder := filepath.Dir(filepath.Dir(name))
		b := open[folder]
		if b == nil {
			if b, err = dirbucket.Open(folder); err != nil {
				return err
			}
			open[folder] = b
			places = append(places, place{name: folder, close: b.Close})
		}
		r, err := openIn(ctx, b, filepath.Base(filepath.Dir(name)))
		if err == nil && r.Incremental() {
			windows = append(windows, r)
		}
		return err
	})
	if err == nil && len(windows) == 0 {
		err = fmt.Errorf("%w below %s", errNoWindows, where)
	}
	return windows, places, err
}

// openIn opens the report whose manifest is in a folder of b. The files of a report
// are named from the top of the bucket that it was written to: b stands for the part
// of it that was copied.
func openIn(ctx context.Context, b *dirbucket.Bucket, folder string) (*report.Report, error) {
	key := folder + "/" + report.ManifestName
	r, err := report.Open(ctx, b, key)
	if err != nil {
		return nil, err
	}
	base := baseOf(r)
	if base == "" {
		return r, nil
	}
	return report.Open(ctx, b.WithBase(base), base+key)
}

// baseOf returns the part of the keys of a report's files before their paths in the
// folder above that of the manifest.
func baseOf(r *report.Report) string {
	if len(r.Manifest.Files) == 0 {
		return ""
	}
	dir := path.Dir(path.Dir(r.Manifest.Files[0].Key))
	if r.Incremental() { // it has a data/ of its own, next to its manifest
		dir = path.Dir(dir)
	}
	if dir == "." {
		return ""
	}
	return dir + "/"
}
