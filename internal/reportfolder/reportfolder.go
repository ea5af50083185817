// Package reportfolder opens reports in folders of this machine: destinations of
// runs, and downloads of a part of one.
package reportfolder

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

// ErrNoWindows reports a folder without incremental reports.
var ErrNoWindows = errors.New("no incremental report")

// A PathError reports a path that cannot be a report: it does not exist, or is a file
// of another name.
type PathError struct{ Err error }

// Error returns the text of Err.
func (e *PathError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *PathError) Unwrap() error { return e.Err }

// A Place is a report in a folder.
type Place struct {
	Bucket report.Bucket // whose keys are those of the report's files
	Folder string        // the folder above that of the manifest: absolute
	Base   string        // the beginning of the keys, before the paths below Folder
	Key    string        // of the manifest, in Bucket

	close func() error
}

// Close closes the folder.
func (p *Place) Close() error { return p.close() }

// Open finds the report that a path means: a manifest.json, the folder it lies in, or
// the folder of a configuration's reports, whose newest it returns. The caller closes
// the Place. Errors: a *PathError, and those of [report.Open].
func Open(ctx context.Context, where string) (*Place, error) {
	manifest, err := findManifest(where)
	if err != nil {
		return nil, err
	}
	// <folder>/data/ and <folder>/<time>/manifest.json lie side by side; an incremental
	// report has <folder>/<time>/data/.
	folder := filepath.Dir(filepath.Dir(manifest))
	b, err := dirbucket.Open(folder)
	if err != nil {
		return nil, &PathError{err}
	}
	rel := filepath.Base(filepath.Dir(manifest)) + "/" + report.ManifestName
	r, err := report.Open(ctx, b, rel)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	base := baseOf(r)
	return &Place{Bucket: b.WithBase(base), Folder: folder, Base: base, Key: base + rel, close: b.Close}, nil
}

// findManifest finds the manifest.json that where means.
func findManifest(where string) (manifest string, err error) {
	if where, err = filepath.Abs(where); err != nil {
		return "", err
	}
	st, err := os.Stat(where)
	if err != nil {
		return "", &PathError{err}
	}
	if !st.IsDir() {
		if filepath.Base(where) != report.ManifestName {
			return "", &PathError{fmt.Errorf("%s is neither a %s nor a folder", where, report.ManifestName)}
		}
		return where, nil
	}
	m := filepath.Join(where, report.ManifestName)
	if st, err := os.Stat(m); err == nil && st.Mode().IsRegular() {
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

// globEscape escapes characters that filepath.Glob would read as a pattern.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// Windows are incremental reports in folders.
type Windows struct {
	Reports []*report.Report
	open    map[string]*dirbucket.Bucket // by the folder above those of reports
}

// Close closes the folders.
func (w *Windows) Close() error {
	var errs []error
	for _, b := range w.open {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}

// OpenWindows opens the incremental reports that a path means: a manifest.json, or all
// below a folder, whatever its name. Full reports are passed over. The caller closes
// the Windows. Errors: a *PathError, ErrNoWindows, ctx.Err(), and those of
// [report.Open].
func OpenWindows(ctx context.Context, where string) (*Windows, error) {
	where, err := filepath.Abs(where)
	if err != nil {
		return nil, err
	}
	if where, err = filepath.EvalSymlinks(where); err != nil { // WalkDir would not follow it
		return nil, &PathError{err}
	}
	w := &Windows{open: map[string]*dirbucket.Bucket{}}
	err = filepath.WalkDir(where, func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if d.Name() != report.ManifestName || !d.Type().IsRegular() {
			return nil
		}
		return w.add(ctx, filepath.Dir(name))
	})
	if err == nil && len(w.Reports) == 0 {
		err = fmt.Errorf("%w below %s", ErrNoWindows, where)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// add adds the report whose manifest is in dir, if it is incremental.
func (w *Windows) add(ctx context.Context, dir string) (err error) {
	folder := filepath.Dir(dir)
	b := w.open[folder]
	if b == nil {
		if b, err = dirbucket.Open(folder); err != nil {
			return err
		}
		w.open[folder] = b
	}
	r, err := openIn(ctx, b, filepath.Base(dir))
	if err == nil && r.Incremental() {
		w.Reports = append(w.Reports, r)
	}
	return err
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
