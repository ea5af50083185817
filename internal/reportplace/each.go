package reportplace

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/stocktake/stocktake/internal/reportfolder"
	"github.com/stocktake/stocktake/report"
)

// Each calls found for each report at a place that Open takes: with its manifest's key, or
// with the error of a folder that cannot be read, whose place is nil. The place is
// closed after the call. An error of found ends it. Errors: those of Open, and of found.
func Each(ctx context.Context, buckets Buckets, where string, found func(p *Place, manifest string, err error) error) error {
	switch _, ok, err := ParseAddress(where); {
	case err != nil:
		return err
	case ok:
		return eachInBucket(ctx, buckets, where, found)
	}
	return eachInFolder(ctx, where, found)
}

func eachInBucket(ctx context.Context, buckets Buckets, where string, found func(*Place, string, error) error) (err error) {
	p, err := Open(ctx, buckets, where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	for key, err := range p.Bucket.List(ctx, p.Path) {
		if err != nil {
			return err
		}
		if path.Base(key) == report.ManifestName {
			if err := found(p, key, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachInFolder does what eachInBucket does for a folder, or a file, on this
// machine. The reports of one configuration lie together; those of several may
// lie below.
func eachInFolder(ctx context.Context, where string, found func(*Place, string, error) error) error {
	where, err := filepath.Abs(where)
	if err != nil {
		return err
	}
	if where, err = filepath.EvalSymlinks(where); err != nil { // WalkDir would not follow it
		return &reportfolder.PathError{Err: err}
	}
	return filepath.WalkDir(where, func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if d.Name() != report.ManifestName || !d.Type().IsRegular() {
			return nil
		}
		p, err := openFolder(ctx, name)
		if err != nil {
			return found(nil, name, err)
		}
		return errors.Join(found(p, p.Path, nil), p.Close())
	})
}
