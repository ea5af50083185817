package report

import (
	"context"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
)

// A shardFile is a shard in a bucket, for the reader of its format.
type shardFile struct {
	bucket Bucket
	file   stocktake.ManifestFile
}

func (f *shardFile) Size() int64 { return f.file.Size }

func (f *shardFile) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	body, err := open(ctx, f.bucket, f.file.Key, offset, length)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.file.Key, err)
	}
	return body, nil
}
