package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"path"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/report"
)

// ossBucket reads reports through the OSS API: a [report.Bucket].
type ossBucket struct {
	client *oss.Client
	bucket string
}

var _ report.Bucket = (*ossBucket)(nil)

// Open reads an object; fs.ErrNotExist if it is missing.
func (b *ossBucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.get(ctx, &oss.GetObjectRequest{Bucket: &b.bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	return r.Body, nil
}

// OpenRange reads part of an object. Without the header RangeBehavior OSS would
// answer a range behind the end with the whole object.
func (b *ossBucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	where := "oss://" + b.bucket + "/" + key
	if offset < 0 {
		return nil, fmt.Errorf("%s: byte %d: %w", where, offset, io.ErrUnexpectedEOF)
	}
	wanted := fmt.Sprintf("bytes=%d-", offset)
	if length >= 0 {
		wanted += fmt.Sprint(offset + max(length, 1) - 1) // there is no empty range
	}
	r, err := b.get(ctx, &oss.GetObjectRequest{Bucket: &b.bucket, Key: &key, Range: &wanted, RangeBehavior: oss.Ptr("standard")})
	if err != nil {
		return nil, err
	}
	if got := oss.ToString(r.ContentRange); !strings.HasPrefix(got, fmt.Sprintf("bytes %d-", offset)) {
		return nil, errors.Join(fmt.Errorf("%s: asked for %s, the server answered with the range %q", where, wanted, got), r.Body.Close())
	}
	if length < 0 {
		return r.Body, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r.Body, length), r.Body}, nil
}

func (b *ossBucket) get(ctx context.Context, req *oss.GetObjectRequest) (*oss.GetObjectResult, error) {
	where := "oss://" + b.bucket + "/" + *req.Key
	r, err := b.client.GetObject(ctx, req)
	if serr, ok := serviceError(err); ok {
		switch {
		case serr.StatusCode == http.StatusNotFound && serr.Code == "NoSuchKey":
			return nil, fmt.Errorf("%s: %w", where, fs.ErrNotExist)
		case serr.StatusCode == http.StatusRequestedRangeNotSatisfiable:
			return nil, fmt.Errorf("%s: %s are behind its end: %w", where, oss.ToString(req.Range), io.ErrUnexpectedEOF)
		}
	}
	if err != nil {
		return nil, explain(err, "read "+where)
	}
	return r, nil
}

// List yields the keys that start with prefix, page by page.
func (b *ossBucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range objectsBelow(ctx, b.client, objectAddress{b.bucket, prefix}) {
			if !yield(oss.ToString(o.Key), err) {
				return
			}
		}
	}
}

// A place is where a report command looks: a bucket and what of it.
type place struct {
	bucket report.Bucket
	path   string // key of a manifest, or prefix of a configuration's reports, without '/' at the end
	name   string // of the bucket, for people: "oss://reports" or a folder
	base   string // what keys have before the paths below name
	close  func() error
}

// where returns the address of a key as it is passed to a command.
func (p *place) where(key string) string { return p.name + "/" + strings.TrimPrefix(key, p.base) }

// openPlace understands the URL of a bucket, with a path, and the path of a folder
// or file.
func openPlace(r *remote, where string) (place, error) {
	u, ok, err := parseBucketURL(where)
	if err != nil {
		return place{}, err
	}
	if !ok {
		return openFolder(where)
	}
	p := place{path: u.path, name: u.name(), close: func() error { return nil }}
	if u.scheme == "oss" {
		c, err := r.ossClient()
		if err != nil {
			return place{}, err
		}
		p.bucket = &ossBucket{c, u.bucket}
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
	remote
	Where string `arg:"" help:"oss://BUCKET/PATH, s3://BUCKET/PATH or a local path of a manifest.json, or of a configuration's reports, which means the newest." placeholder:"PLACE"`
}

// manifest finds the key of the report's manifest.
func (r *reportPlace) manifest(ctx context.Context) (place, string, error) {
	p, err := openPlace(&r.remote, r.Where)
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
		if path.Base(key) == report.ManifestName && path.Base(path.Dir(key)) >= path.Base(path.Dir(newest)) {
			newest = key
		}
	}
	if newest == "" {
		return "", fmt.Errorf("no complete report (no %s) below %s", report.ManifestName, p.where(prefix))
	}
	return newest, nil
}
