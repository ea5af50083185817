package transfer

import (
	"context"
	"iter"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

// Copies yields the copies of all objects below a prefix.
func Copies(ctx context.Context, oc *oss.Client, copier *oss.Copier, from, to Address) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for o, err := range objects(ctx, oc, from) {
			if err != nil {
				yield(Item{}, err)
				return
			}
			key := oss.ToString(o.Key)
			if !yield(Copy(copier, Address{from.Bucket, key}, to.Below(strings.TrimPrefix(key, from.Key)), o.Size), nil) {
				return
			}
		}
	}
}

// Copy returns the copy of one object of size bytes.
func Copy(copier *oss.Copier, from, to Address, size int64) Item {
	return Item{name: from.String(), size: size, do: func(ctx context.Context) error {
		_, err := copier.Copy(ctx, &oss.CopyObjectRequest{Bucket: &to.Bucket, Key: &to.Key, SourceBucket: &from.Bucket, SourceKey: &from.Key})
		return err
	}}
}
