package transfer

import (
	"context"
	"fmt"
	"iter"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/human"
)

// objects yields the objects whose keys start with a prefix, in order, page by
// page. It ends with an error if the server makes no progress or answers with
// something else than a listing.
func objects(ctx context.Context, oc *oss.Client, at Address) iter.Seq2[oss.ObjectProperties, error] {
	return func(yield func(oss.ObjectProperties, error) bool) {
		for o, err := range client.NewBucket(oc, at.Bucket).Objects(ctx, at.Key) {
			if err != nil {
				err = &Error{Doing: "list " + at.String(), Err: err}
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// DeleteBelow deletes the objects whose keys start with a prefix, a page at a time,
// and calls done with the number of objects of each page.
func DeleteBelow(ctx context.Context, oc *oss.Client, at Address, done func(n int64)) error {
	var page []oss.DeleteObject
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := deleteObjects(ctx, oc, at.Bucket, page)
		if err == nil {
			done(int64(len(page)))
		}
		page = page[:0]
		return err
	}
	for o, err := range objects(ctx, oc, at) {
		if err != nil {
			return err
		}
		page = append(page, oss.DeleteObject{Key: o.Key})
		if len(page) == 1000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// deleteObjects deletes at most 1,000 objects or versions. The service answers 200 even if it
// deleted only some of them, so the deleted ones are counted.
func deleteObjects(ctx context.Context, oc *oss.Client, bucket string, list []oss.DeleteObject) error {
	done, err := oc.DeleteMultipleObjects(ctx, &oss.DeleteMultipleObjectsRequest{Bucket: &bucket, Objects: list})
	if err != nil {
		return &Error{Doing: "delete objects of bucket " + bucket, Err: err}
	}
	if n := len(list) - len(done.DeletedObjects); n > 0 {
		return fmt.Errorf("delete objects of bucket %s: %s could not be deleted", bucket, human.Many(int64(n), "object"))
	}
	return nil
}

// Emptied counts the objects removed from a bucket.
type Emptied struct {
	Versions int64 `json:"versions"` // delete markers included
	Uploads  int64 `json:"uploads"`  // unfinished
}

// String returns the counts in words.
func (e Emptied) String() string {
	return human.Many(e.Versions, "object version") + " and " + human.Many(e.Uploads, "unfinished upload")
}

// Empty deletes every version and every unfinished upload of a bucket.
// progress is called after each page.
func Empty(ctx context.Context, oc *oss.Client, bucket string, progress func(Emptied)) (e Emptied, err error) {
	for p := oc.NewListObjectVersionsPaginator(&oss.ListObjectVersionsRequest{Bucket: &bucket, MaxKeys: 1000}); p.HasNext(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return e, &Error{Doing: "list the objects of bucket " + bucket, Err: err}
		}
		var list []oss.DeleteObject
		for _, v := range page.ObjectVersions {
			list = append(list, oss.DeleteObject{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.ObjectDeleteMarkers {
			list = append(list, oss.DeleteObject{Key: m.Key, VersionId: m.VersionId})
		}
		if len(list) == 0 {
			continue
		}
		if err := deleteObjects(ctx, oc, bucket, list); err != nil {
			return e, err
		}
		e.Versions += int64(len(list))
		progress(e)
	}
	for p := oc.NewListMultipartUploadsPaginator(&oss.ListMultipartUploadsRequest{Bucket: &bucket, MaxUploads: 1000}); p.HasNext(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return e, &Error{Doing: "list the unfinished uploads of bucket " + bucket, Err: err}
		}
		for _, u := range page.Uploads {
			if _, err := oc.AbortMultipartUpload(ctx, &oss.AbortMultipartUploadRequest{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId}); err != nil {
				return e, &Error{Doing: "abort the upload of " + human.Printable(oss.ToString(u.Key)), Err: err}
			}
			e.Uploads++
		}
		progress(e)
	}
	return e, nil
}
