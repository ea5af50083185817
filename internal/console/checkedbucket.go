package console

import (
	"context"
	"io"
	"iter"

	"github.com/stocktake/stocktake/report"
)

// A checkedBucket is a bucket of a named store. The API does not serve its objects, so
// the console checks the user's rights before it reads.
type checkedBucket struct {
	report.Bucket
	allow func(ctx context.Context, action, key, prefix string) error
}

func (g checkedBucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := g.allow(ctx, "oss:GetObject", key, ""); err != nil {
		return nil, err
	}
	return g.Bucket.Open(ctx, key)
}

func (g checkedBucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := g.allow(ctx, "oss:GetObject", key, ""); err != nil {
		return nil, err
	}
	return g.Bucket.OpenRange(ctx, key, offset, length)
}

func (g checkedBucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if err := g.allow(ctx, "oss:ListObjects", "", prefix); err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return g.Bucket.List(ctx, prefix)
}
