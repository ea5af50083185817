package store

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// UploadList implements ossapi.Uploads.
func (s *Store) UploadList(ctx context.Context, q object.UploadQuery) (object.UploadListing, error) {
	b, err := s.bucket(q.Bucket)
	if err != nil {
		return object.UploadListing{}, err
	}
	bounds := layout.AppendEscaped(layout.AppendBucketHead(nil, layout.SpaceUploads, b.id), q.Prefix)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: bounds, UpperBound: layout.After(bounds)})
	if err != nil {
		return object.UploadListing{}, fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	q.Max = min(max(q.Max, 1), maxPage)
	var page object.UploadListing
	for ok := it.SeekGE(firstUpload(b.id, &q)); ok; {
		if ctx.Err() != nil {
			return object.UploadListing{}, ctx.Err()
		}
		if len(page.Uploads)+len(page.CommonPrefixes) == q.Max {
			page.Truncated = true
			return page, nil
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return object.UploadListing{}, fmt.Errorf("index: %w", err)
		}
		r, err := layout.DecodeUpload(it.Key(), value)
		if err != nil {
			return object.UploadListing{}, err
		}
		if group, grouped := commonPrefix(r.Info.Key, q.Prefix, q.Delimiter); grouped {
			page.CommonPrefixes = append(page.CommonPrefixes, group)
			page.NextAfter, page.NextAfterUpload = group, ""
			ok = it.SeekGE(layout.After(layout.AppendEscaped(layout.AppendBucketHead(nil, layout.SpaceUploads, b.id), group)))
			continue
		}
		u := r.Upload()
		page.Uploads = append(page.Uploads, u)
		page.NextAfter, page.NextAfterUpload = u.Key, u.ID
		ok = it.Next()
	}
	if err := it.Error(); err != nil {
		return object.UploadListing{}, fmt.Errorf("index: %w", err)
	}
	page.NextAfter, page.NextAfterUpload = "", ""
	return page, nil
}

// firstUpload returns the first index key that may be on the page.
func firstUpload(bucket uint32, q *object.UploadQuery) []byte {
	head := layout.AppendBucketHead(nil, layout.SpaceUploads, bucket)
	if q.After == "" {
		return head
	}
	if group, ok := commonPrefix(q.After, q.Prefix, q.Delimiter); ok {
		return layout.After(layout.AppendEscaped(head, group))
	}
	if seq, ok := layout.ParseUploadID(q.AfterUpload); ok {
		return append(layout.AppendUploadKey(nil, bucket, q.After, seq), 0)
	}
	return layout.After(append(layout.AppendEscaped(head, q.After), 0, 1))
}
