package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// Rows yields the rows of the report in the order of its shards. A row is valid
// until the next one; an error, which is the last pair, is a *[RowError] if a row
// is at fault.
func (r *Report) Rows(ctx context.Context) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		reader := r.Format.NewReader(r.Columns)
		for _, f := range r.Manifest.Files {
			for row, err := range r.shard(ctx, reader, f, format.Place{}) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// shard yields the rows of one shard from a place on.
func (r *Report) shard(ctx context.Context, reader format.Reader, file stocktake.ManifestFile, at format.Place) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		if err := reader.Open(ctx, &shardFile{r.bucket, file}, at); err != nil {
			yield(nil, err)
			return
		}
		defer reader.Close()
		for n := at.Row; ; n++ {
			row, err := reader.Next()
			if err == io.EOF {
				return
			}
			if err == nil && n%4096 == 0 {
				err = ctx.Err()
			}
			if e, ok := errors.AsType[*RowError](err); ok {
				e.File = file.Key
			} else if err != nil {
				err = fmt.Errorf("%s: after %d rows: %w", file.Key, n, err)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

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
