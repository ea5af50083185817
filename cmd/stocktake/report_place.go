package main

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/reportplace"
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

// reportPlace is the argument of the commands that take one report.
type reportPlace struct {
	reportRemote
	Where string `arg:"" help:"oss://BUCKET/PATH, s3://BUCKET/PATH or a local path of a manifest.json, or of a configuration's reports, which means the newest." placeholder:"PLACE"`
}

// manifest opens the place, and finds the key of the report's manifest.
func (r *reportPlace) manifest(ctx context.Context) (*reportplace.Place, string, error) {
	return reportplace.OpenManifest(ctx, &r.reportRemote, r.Where)
}

// report opens the report. The caller closes the place.
func (r *reportPlace) report(ctx context.Context) (*reportplace.Place, *report.Report, error) {
	return reportplace.OpenReport(ctx, &r.reportRemote, r.Where)
}
