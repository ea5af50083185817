package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/reportfolder"
	"github.com/stocktake/stocktake/report"
)

// ossBucket reads reports through the OSS API: a [report.Bucket] whose errors say
// what to do.
type ossBucket struct{ *client.Bucket }

var _ report.Bucket = ossBucket{}

func newOSSBucket(c *oss.Client, name string) ossBucket { return ossBucket{client.NewBucket(c, name)} }

// Open reads an object; fs.ErrNotExist if it is missing.
func (b ossBucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.Bucket.Open(ctx, key)
	return r, explainCall(err, "read "+b.URL(key))
}

// OpenRange reads part of an object.
func (b ossBucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := b.Bucket.OpenRange(ctx, key, offset, length)
	return r, explainCall(err, "read "+b.URL(key))
}

// List yields the keys that start with prefix, page by page.
func (b ossBucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range b.Bucket.List(ctx, prefix) {
			if !yield(key, explainCall(err, "list "+b.URL(prefix))) {
				return
			}
		}
	}
}

// explainCall explains err if a request has failed. Errors of the client itself are
// complete already.
func explainCall(err error, doing string) error {
	if _, ok := serviceError(err); ok || away(err) {
		return explain(err, doing)
	}
	if _, ok := errors.AsType[oss.InvalidParamError](err); ok {
		return explain(err, doing)
	}
	return err
}

// A place is the argument of a report command: a bucket and a part of it.
type place struct {
	bucket report.Bucket
	path   string // key of a manifest, or prefix of a configuration's reports, without '/' at the end
	name   string // of the bucket, for people: "oss://reports" or a folder
	base   string // the beginning of keys, before the paths below name
	close  func() error
}

// where returns the address of a key as it is passed to a command.
func (p *place) where(key string) string { return p.name + "/" + strings.TrimPrefix(key, p.base) }

// openFolder opens the report at a path on this machine.
func openFolder(where string) (place, error) {
	p, err := reportfolder.Open(context.Background(), where)
	if err != nil {
		return place{}, folderError(err)
	}
	return place{bucket: p.Bucket, path: p.Key, name: p.Folder, base: p.Base, close: p.Close}, nil
}

// folderError marks a path that cannot be a report as a usage error.
func folderError(err error) error {
	if _, ok := errors.AsType[*reportfolder.PathError](err); ok {
		return usageError{err}
	}
	return err
}

// openPlace opens the URL of a bucket, with a path, or the path of a folder or file.
func openPlace(r *reportRemote, where string) (place, error) {
	u, ok, err := parseBucketURL(where)
	if err != nil {
		return place{}, err
	}
	if !ok {
		return openFolder(where)
	}
	p := place{path: u.path, name: u.name(), close: func() error { return nil }}
	if u.scheme == "oss" && r.Profile == "" {
		c, err := r.ossClient()
		if err != nil {
			return place{}, err
		}
		p.bucket = newOSSBucket(c, u.bucket)
		return p, nil
	}
	s, err := r.store(u)
	if err != nil {
		return place{}, err
	}
	p.bucket = s.Destination(u.bucket)
	return p, nil
}

// reportPlace is the argument of the commands that take one report.
type reportPlace struct {
	reportRemote
	Where string `arg:"" help:"oss://BUCKET/PATH, s3://BUCKET/PATH or a local path of a manifest.json, or of a configuration's reports, which means the newest." placeholder:"PLACE"`
}

// manifest finds the key of the report's manifest.
func (r *reportPlace) manifest(ctx context.Context) (place, string, error) {
	p, err := openPlace(&r.reportRemote, r.Where)
	if err != nil {
		return p, "", err
	}
	key, err := newestManifest(ctx, p)
	if err != nil {
		return p, "", errors.Join(err, p.close())
	}
	return p, key, nil
}

// report opens the report. The caller closes the place.
func (r *reportPlace) report(ctx context.Context) (place, *report.Report, error) {
	p, key, err := r.manifest(ctx)
	if err != nil {
		return p, nil, err
	}
	opened, err := report.Open(ctx, p.bucket, key)
	if err != nil {
		return p, nil, errors.Join(err, p.close())
	}
	return p, opened, nil
}

func newestManifest(ctx context.Context, p place) (string, error) {
	if path.Base(p.path) == report.ManifestName {
		return p.path, nil
	}
	prefix := strings.TrimSuffix(p.path, "/") + "/"
	if p.path == "" {
		prefix = ""
	}
	newest := ""
	for key, err := range p.bucket.List(ctx, prefix) {
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
		return "", fmt.Errorf("no complete report (no %s) below %s", report.ManifestName, p.where(prefix))
	}
	return newest, nil
}
