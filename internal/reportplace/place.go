// Package reportplace finds reports at the places that people name: in buckets, by their
// URL, and in folders of this machine.
package reportplace

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/stocktake/stocktake/internal/reportfolder"
	"github.com/stocktake/stocktake/report"
)

// Buckets opens buckets.
type Buckets interface {
	// Bucket returns the bucket of an address, whose path it ignores. The bucket is not
	// closed. The errors are those of the connection's settings.
	Bucket(a Address) (report.Bucket, error)
}

// A Place is a bucket and a part of it; without a path all of it.
type Place struct {
	Bucket report.Bucket
	Path   string // key of a manifest, or prefix of a configuration's reports
	Name   string // of the bucket, for people: "oss://reports" or a folder

	base  string       // the beginning of keys, before the paths below Name
	close func() error // nil: nothing is to be closed
}

// Open opens the place that is named by the address of a bucket, or by the path of a
// folder or file: a report there, or the newest of several. The caller closes it. Errors:
// an *ArgumentError, those of buckets and of [reportfolder.Open].
func Open(ctx context.Context, buckets Buckets, where string) (*Place, error) {
	a, ok, err := ParseAddress(where)
	if err != nil {
		return nil, err
	}
	if !ok {
		return openFolder(ctx, where)
	}
	b, err := buckets.Bucket(a)
	if err != nil {
		return nil, err
	}
	return &Place{Bucket: b, Path: a.Path, Name: a.URL()}, nil
}

func openFolder(ctx context.Context, where string) (*Place, error) {
	p, err := reportfolder.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	return &Place{Bucket: p.Bucket, Path: p.Key, Name: p.Folder, base: p.Base, close: p.Close}, nil
}

// OpenManifest opens a place, and finds the key of the manifest there. The caller closes the
// place.
func OpenManifest(ctx context.Context, buckets Buckets, where string) (*Place, string, error) {
	p, err := Open(ctx, buckets, where)
	if err != nil {
		return nil, "", err
	}
	key, err := p.manifest(ctx)
	if err != nil {
		return nil, "", errors.Join(err, p.Close())
	}
	return p, key, nil
}

// OpenReport opens a place, and the report there. The caller closes the place.
func OpenReport(ctx context.Context, buckets Buckets, where string) (*Place, *report.Report, error) {
	p, key, err := OpenManifest(ctx, buckets, where)
	if err != nil {
		return nil, nil, err
	}
	r, err := report.Open(ctx, p.Bucket, key)
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return p, r, nil
}

// Close closes the place.
func (p *Place) Close() error {
	if p.close == nil {
		return nil
	}
	return p.close()
}

// Where returns the address of a key as it is passed to a command.
func (p *Place) Where(key string) string { return p.Name + "/" + strings.TrimPrefix(key, p.base) }

// manifest finds the key of the manifest at the place: of the newest report if there are
// several. It does not read it.
func (p *Place) manifest(ctx context.Context) (string, error) {
	if path.Base(p.Path) == report.ManifestName {
		return p.Path, nil
	}
	prefix := p.prefix()
	newest := ""
	for key, err := range p.Bucket.List(ctx, prefix) {
		if err != nil {
			return "", err
		}
		// An incremental report is opened only if its own folder is named.
		if isWindow(key) && !strings.Contains("/"+prefix, "/incremental_inventory/") {
			continue
		}
		if path.Base(key) == report.ManifestName && path.Base(path.Dir(key)) >= path.Base(path.Dir(newest)) {
			newest = key
		}
	}
	if newest == "" {
		return "", fmt.Errorf("no complete report (no %s) below %s", report.ManifestName, p.Where(prefix))
	}
	return newest, nil
}

// prefix returns the path as that of a folder.
func (p *Place) prefix() string {
	if p.Path == "" {
		return ""
	}
	return strings.TrimSuffix(p.Path, "/") + "/"
}
