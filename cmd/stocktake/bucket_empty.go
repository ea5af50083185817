package main

import (
	"context"
	"fmt"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

// emptied counts the objects removed from a bucket.
type emptied struct {
	Versions int64 `json:"versions"` // delete markers included
	Uploads  int64 `json:"uploads"`  // unfinished
}

func (e emptied) String() string {
	return many(e.Versions, "object version") + " and " + many(e.Uploads, "unfinished upload")
}

// emptyBucket deletes every version and every unfinished upload of a bucket.
// progress is called after each page.
func emptyBucket(ctx context.Context, oc *oss.Client, bucket string, progress func(emptied)) (e emptied, err error) {
	for p := oc.NewListObjectVersionsPaginator(&oss.ListObjectVersionsRequest{Bucket: &bucket, MaxKeys: 1000}); p.HasNext(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return e, explain(err, "list the objects of bucket "+bucket)
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
			return e, explain(err, "list the unfinished uploads of bucket "+bucket)
		}
		for _, u := range page.Uploads {
			if _, err := oc.AbortMultipartUpload(ctx, &oss.AbortMultipartUploadRequest{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId}); err != nil {
				return e, explain(err, "abort the upload of "+printable(oss.ToString(u.Key)))
			}
			e.Uploads++
		}
		progress(e)
	}
	return e, nil
}

// deleteObjects deletes at most 1,000 objects or versions. The service answers 200
// even if it deleted some of them only, so what it deleted is counted.
func deleteObjects(ctx context.Context, oc *oss.Client, bucket string, list []oss.DeleteObject) error {
	done, err := oc.DeleteMultipleObjects(ctx, &oss.DeleteMultipleObjectsRequest{Bucket: &bucket, Objects: list})
	if err != nil {
		return explain(err, "delete objects of bucket "+bucket)
	}
	if n := len(list) - len(done.DeletedObjects); n > 0 {
		return fmt.Errorf("delete objects of bucket %s: %s could not be deleted", bucket, many(int64(n), "object"))
	}
	return nil
}
