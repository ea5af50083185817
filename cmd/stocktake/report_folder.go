package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/stocktake/stocktake/report"
)

// dirBucket reads reports from a folder, as a download leaves them: the objects
// of a bucket whose keys start with base, with base left out of their paths.
type dirBucket struct {
	root *os.Root
	base string
}

var _ report.Bucket = dirBucket{}

// Open reads a file below the folder and nowhere else.
func (b dirBucket) Open(_ context.Context, key string) (io.ReadCloser, error) {
	f, _, err := b.open(key)
	if err != nil {
		return nil, err // a nil *os.File would be a non-nil io.ReadCloser
	}
	return f, nil
}

// OpenRange reads part of a file below the folder.
func (b dirBucket) OpenRange(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	f, size, err := b.open(key)
	if err != nil {
		return nil, err
	}
	if offset < 0 || offset >= size {
		return nil, errors.Join(fmt.Errorf("%s: byte %d of %d: %w", key, offset, size, io.ErrUnexpectedEOF), f.Close())
	}
	if length < 0 {
		length = size - offset
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, length), f}, nil
}

// open opens a regular file below the folder. Others are refused: a device has
// no end, and a named pipe may never have a beginning, which is why opening
// does not wait for one.
func (b dirBucket) open(key string) (f *os.File, size int64, err error) {
	name, ok := strings.CutPrefix(key, b.base)
	if !ok {
		return nil, 0, fmt.Errorf("%s lies outside of the folder, which holds %s: %w", key, b.base, fs.ErrNotExist)
	}
	f, err = b.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", key)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, st.Size(), nil
}

// List yields the files below the folder whose key starts with prefix.
func (b dirBucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var keys []string
		err := fs.WalkDir(b.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && strings.HasPrefix(b.base+name, prefix) {
				keys = append(keys, b.base+name)
			}
			return errors.Join(err, ctx.Err())
		})
		if err != nil {
			yield("", err)
			return
		}
		slices.Sort(keys) // a walk goes folder by folder, a bucket by bytes
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

// openFolder finds the report that a path on this machine means: a
// manifest.json, the folder it lies in, or the folder of a configuration's
// reports, of which it is the newest.
func openFolder(where string) (place, error) {
	manifest, err := findManifest(where)
	if err != nil {
		return place{}, err
	}
	// <folder>/data/ and <folder>/<time>/manifest.json lie side by side.
	folder := filepath.Dir(filepath.Dir(manifest))
	root, err := os.OpenRoot(folder)
	if err != nil {
		return place{}, usageError{err}
	}
	rel := filepath.ToSlash(filepath.Join(filepath.Base(filepath.Dir(manifest)), report.ManifestName))
	r, err := report.Open(context.Background(), dirBucket{root: root}, rel)
	if err != nil {
		return place{}, errors.Join(err, root.Close())
	}
	b := dirBucket{root: root}
	if files := r.Manifest.Files; len(files) > 0 {
		b.base = path.Dir(path.Dir(files[0].Key)) + "/"
		if b.base == "./" {
			b.base = ""
		}
	}
	return place{bucket: b, path: b.base + rel, name: folder, base: b.base, close: root.Close}, nil
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
		return "", fmt.Errorf("%s holds no report: name a %s, its folder, or the folder above with data/ beside it", where, report.ManifestName)
	}
	return slices.Max(all), nil // the names are times, and sort as such
}

func fileExists(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().IsRegular()
}

// globEscape takes the meaning from what filepath.Glob would read as a pattern.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
