package ossbucket

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/remote"
)

// Get implements [remote.Dialect].
func (d *dialect) Get(ctx context.Context, bucket, key, span string) (io.ReadCloser, bool, error) {
	req := &oss.GetObjectRequest{Bucket: &bucket, Key: &key}
	if span != "" { // the standard behaviour refuses ranges outside the object; the default sends all of it
		req.Range, req.RangeBehavior = &span, oss.Ptr("standard")
	}
	out, err := d.api.GetObject(ctx, req)
	if err != nil {
		return nil, false, remote.Needs("oss:GetObject", serviceError(err))
	}
	return out.Body, out.StatusCode != http.StatusPartialContent, nil
}

// Head implements [remote.Dialect].
func (d *dialect) Head(ctx context.Context, bucket, key string) (bool, error) {
	_, err := d.api.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: &bucket, Key: &key})
	if err = remote.Needs("oss:GetObject", serviceError(err)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// deleteRight is the right to delete an object, or one of its versions.
func deleteRight(version string) string {
	if version != "" {
		return "oss:DeleteObjectVersion"
	}
	return "oss:DeleteObject"
}

// Delete implements [remote.Dialect].
func (d *dialect) Delete(ctx context.Context, bucket, key, version string) error {
	_, err := d.api.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: &bucket, Key: &key, VersionId: remote.Optional(version)})
	if err = remote.Needs(deleteRight(version), serviceError(err)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// encryption returns how an object is encrypted.
func encryption(o *remote.Object) (algorithm, keyID *string) {
	switch c := o.Encryption; {
	case c.SSEKMS:
		return oss.Ptr("KMS"), remote.Optional(c.KeyID)
	case c.SSEOSS:
		return oss.Ptr("AES256"), nil
	}
	return nil, nil
}

// forbidOverwrite returns x-oss-forbid-overwrite. It has no effect in a bucket that has
// ever had versioning.
func forbidOverwrite(o *remote.Object) *string {
	if o.Exclusive {
		return oss.Ptr("true")
	}
	return nil
}

// Put implements [remote.Dialect].
func (d *dialect) Put(ctx context.Context, o remote.Object, content io.ReadSeeker, md5 string) error {
	algorithm, keyID := encryption(&o)
	_, err := d.api.PutObject(ctx, &oss.PutObjectRequest{
		Bucket: &o.Bucket, Key: &o.Key, Body: content, ContentType: remote.Optional(o.ContentType), ContentMD5: &md5, ForbidOverwrite: forbidOverwrite(&o),
		ServerSideEncryption: algorithm, ServerSideEncryptionKeyId: keyID,
	})
	return remote.Needs("oss:PutObject", serviceError(err))
}

// InitiateUpload implements [remote.Dialect].
func (d *dialect) InitiateUpload(ctx context.Context, o remote.Object) (string, error) {
	algorithm, keyID := encryption(&o)
	out, err := d.api.InitiateMultipartUpload(ctx, &oss.InitiateMultipartUploadRequest{
		Bucket: &o.Bucket, Key: &o.Key, ContentType: remote.Optional(o.ContentType), ServerSideEncryption: algorithm, ServerSideEncryptionKeyId: keyID,
	})
	if err != nil {
		return "", remote.Needs("oss:PutObject", serviceError(err))
	}
	if oss.ToString(out.UploadId) == "" {
		return "", errors.New("the service has begun an upload without an id")
	}
	return *out.UploadId, nil
}

// UploadPart implements [remote.Dialect].
func (d *dialect) UploadPart(ctx context.Context, o remote.Object, upload string, number int, content io.ReadSeeker, md5 string) (string, error) {
	out, err := d.api.UploadPart(ctx, &oss.UploadPartRequest{
		Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload, PartNumber: int32(number), Body: content, ContentMD5: &md5,
	})
	if err != nil {
		return "", remote.Needs("oss:PutObject", serviceError(err))
	}
	return oss.ToString(out.ETag), nil
}

// CompleteUpload implements [remote.Dialect].
func (d *dialect) CompleteUpload(ctx context.Context, o remote.Object, upload string, etags []string) error {
	parts := make([]oss.UploadPart, len(etags))
	for i := range etags {
		parts[i] = oss.UploadPart{ETag: &etags[i], PartNumber: int32(i + 1)}
	}
	_, err := d.api.CompleteMultipartUpload(ctx, &oss.CompleteMultipartUploadRequest{
		Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload, ForbidOverwrite: forbidOverwrite(&o),
		CompleteMultipartUpload: &oss.CompleteMultipartUpload{Parts: parts},
	})
	return remote.Needs("oss:PutObject", serviceError(err))
}

// AbortUpload implements [remote.Dialect].
func (d *dialect) AbortUpload(ctx context.Context, o remote.Object, upload string) error {
	_, err := d.api.AbortMultipartUpload(ctx, &oss.AbortMultipartUploadRequest{Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload})
	if err = remote.Needs("oss:AbortMultipartUpload", serviceError(err)); errors.Is(err, remote.ErrNoUpload) {
		return nil
	}
	return err
}

// ListUploads implements [remote.Dialect].
func (d *dialect) ListUploads(ctx context.Context, bucket, prefix string, after remote.Upload) (page []remote.Upload, next remote.Upload, err error) {
	out, err := d.api.ListMultipartUploads(ctx, &oss.ListMultipartUploadsRequest{
		Bucket: &bucket, Prefix: &prefix, KeyMarker: remote.Optional(after.Key), UploadIdMarker: remote.Optional(after.ID),
	})
	if err != nil {
		return nil, next, remote.Needs("oss:ListMultipartUploads", serviceError(err))
	}
	for _, u := range out.Uploads {
		page = append(page, remote.Upload{Key: oss.ToString(u.Key), ID: oss.ToString(u.UploadId)})
	}
	if out.IsTruncated {
		next = remote.Upload{Key: oss.ToString(out.NextKeyMarker), ID: oss.ToString(out.NextUploadIdMarker)}
	}
	return page, next, nil
}
