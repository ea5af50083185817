package s3bucket

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/stocktake/stocktake/internal/remote"
)

// Get implements [remote.Dialect].
func (d *dialect) Get(ctx context.Context, bucket, key, span string) (io.ReadCloser, bool, error) {
	out, err := d.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, Range: remote.Optional(span)})
	if err != nil {
		return nil, false, remote.Needs(readRight, serviceError(err))
	}
	return out.Body, aws.ToString(out.ContentRange) == "", nil
}

// Head implements [remote.Dialect].
func (d *dialect) Head(ctx context.Context, bucket, key string) (bool, error) {
	_, err := d.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err = remote.Needs(readRight, serviceError(err)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// readRight is the right to read an object. S3 denies access to one that does not
// exist if the caller may not list the bucket.
const readRight = "s3:GetObject, or s3:ListBucket if there is no such object"

// deleteRight is the right to delete an object, or one of its versions.
func deleteRight(version string) string {
	if version != "" {
		return "s3:DeleteObjectVersion"
	}
	return "s3:DeleteObject"
}

// Delete implements [remote.Dialect].
func (d *dialect) Delete(ctx context.Context, bucket, key, version string) error {
	_, err := d.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: remote.Optional(version)})
	if err = remote.Needs(deleteRight(version), serviceError(err)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// encryption returns how an object is encrypted.
func encryption(o *remote.Object) (e types.ServerSideEncryption, keyID *string) {
	switch c := o.Encryption; {
	case c.SSEKMS:
		return types.ServerSideEncryptionAwsKms, remote.Optional(c.KeyID)
	case c.SSEOSS:
		return types.ServerSideEncryptionAes256, nil
	}
	return "", nil
}

// ifNoneMatch returns If-None-Match.
func ifNoneMatch(o *remote.Object) *string {
	if o.Exclusive {
		return aws.String("*")
	}
	return nil
}

// Put implements [remote.Dialect].
func (d *dialect) Put(ctx context.Context, o remote.Object, content io.ReadSeeker, md5 string) error {
	e, keyID := encryption(&o)
	_, err := d.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &o.Bucket, Key: &o.Key, Body: content, ContentType: &o.ContentType, ContentMD5: &md5, IfNoneMatch: ifNoneMatch(&o),
		ServerSideEncryption: e, SSEKMSKeyId: keyID,
	})
	return remote.Needs("s3:PutObject", serviceError(err))
}

// InitiateUpload implements [remote.Dialect].
func (d *dialect) InitiateUpload(ctx context.Context, o remote.Object) (string, error) {
	e, keyID := encryption(&o)
	out, err := d.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &o.Bucket, Key: &o.Key, ContentType: &o.ContentType, ServerSideEncryption: e, SSEKMSKeyId: keyID,
	})
	if err != nil {
		return "", remote.Needs("s3:PutObject", serviceError(err))
	}
	if aws.ToString(out.UploadId) == "" {
		return "", errors.New("the service has begun an upload without an id")
	}
	return *out.UploadId, nil
}

// UploadPart implements [remote.Dialect].
func (d *dialect) UploadPart(ctx context.Context, o remote.Object, upload string, number int, content io.ReadSeeker, md5 string) (string, error) {
	out, err := d.api.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload, PartNumber: aws.Int32(int32(number)), Body: content, ContentMD5: &md5,
	})
	if err != nil {
		return "", remote.Needs("s3:PutObject", serviceError(err))
	}
	return aws.ToString(out.ETag), nil
}

// CompleteUpload implements [remote.Dialect].
func (d *dialect) CompleteUpload(ctx context.Context, o remote.Object, upload string, etags []string) error {
	parts := make([]types.CompletedPart, len(etags))
	for i := range etags {
		parts[i] = types.CompletedPart{ETag: &etags[i], PartNumber: aws.Int32(int32(i + 1))}
	}
	_, err := d.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload, IfNoneMatch: ifNoneMatch(&o),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return remote.Needs("s3:PutObject", serviceError(err))
}

// AbortUpload implements [remote.Dialect].
func (d *dialect) AbortUpload(ctx context.Context, o remote.Object, upload string) error {
	_, err := d.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload})
	if err = remote.Needs("s3:AbortMultipartUpload", serviceError(err)); errors.Is(err, remote.ErrNoUpload) {
		return nil
	}
	return err
}

// ListUploads implements [remote.Dialect].
func (d *dialect) ListUploads(ctx context.Context, bucket, prefix string, after remote.Upload) (page []remote.Upload, next remote.Upload, err error) {
	out, err := d.api.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
		Bucket: &bucket, Prefix: &prefix, KeyMarker: remote.Optional(after.Key), UploadIdMarker: remote.Optional(after.ID),
	})
	if err != nil {
		return nil, next, remote.Needs("s3:ListBucketMultipartUploads", serviceError(err))
	}
	for _, u := range out.Uploads {
		page = append(page, remote.Upload{Key: aws.ToString(u.Key), ID: aws.ToString(u.UploadId)})
	}
	if aws.ToBool(out.IsTruncated) {
		next = remote.Upload{Key: aws.ToString(out.NextKeyMarker), ID: aws.ToString(out.NextUploadIdMarker)}
	}
	return page, next, nil
}
