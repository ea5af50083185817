package main

import (
	"context"
	"errors"
	"fmt"
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
	// <folder>/data/ and <folder>/<time>/manifest.json lie side by side.
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
	base := ""
	if files := r.Manifest.Files; len(files) > 0 {
		if base = path.Dir(path.Dir(files[0].Key)) + "/"; base == "./" {
			base = ""
		}
	}
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
