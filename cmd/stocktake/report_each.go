package main

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/stocktake/stocktake/report"
)

// eachReport calls found for each report at a place: with its manifest's key, or
// with the error of a folder that cannot be read. An error of found ends it.
func eachReport(ctx context.Context, r *reportRemote, where string, found func(p *place, manifest string, err error) error) error {
	switch _, ok, err := parseBucketURL(where); {
	case err != nil:
		return err
	case ok:
		return eachInBucket(ctx, r, where, found)
	}
	return eachInFolder(ctx, where, found)
}

func eachInBucket(ctx context.Context, r *reportRemote, where string, found func(*place, string, error) error) (err error) {
	p, err := openPlace(r, where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for key, err := range p.bucket.List(ctx, p.path) {
		if err != nil {
			return err
		}
		if path.Base(key) == report.ManifestName {
			if err := found(&p, key, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachInFolder does what eachInBucket does for a folder, or a file, on this
// machine. The reports of one configuration lie together; those of several may
// lie below.
func eachInFolder(ctx context.Context, where string, found func(*place, string, error) error) error {
	where, err := filepath.Abs(where)
	if err != nil {
		return err
	}
	if where, err = filepath.EvalSymlinks(where); err != nil { // WalkDir would not follow it
		return usageError{err}
	}
	return filepath.WalkDir(where, func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if d.Name() != report.ManifestName || !d.Type().IsRegular() {
			return nil
		}
		p, err := openFolder(name)
		if err != nil {
			return found(nil, name, err)
		}
		return errors.Join(found(&p, p.path, nil), p.close())
	})
}
