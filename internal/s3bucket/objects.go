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

// optional returns nil for empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// Get implements [remote.Dialect].
func (d *dialect) Get(ctx context.Context, bucket, key, span string) (io.ReadCloser, bool, error) {
	out, err := d.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, Range: optional(span)})
	if err != nil {
		return nil, false, remote.Needs(readRight, coded(err))
	}
	return out.Body, aws.ToString(out.ContentRange) == "", nil
}

// Stat implements [remote.Dialect].
func (d *dialect) Stat(ctx context.Context, bucket, key string) (bool, error) {
	_, err := d.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err = remote.Needs(readRight, coded(err)); errors.Is(err, fs.ErrNotExist) {
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
	_, err := d.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key, VersionId: optional(version)})
	if err = remote.Needs(deleteRight(version), coded(err)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// encryption returns how an object is encrypted.
func encryption(o *remote.Object) (e types.ServerSideEncryption, keyID *string) {
	switch c := o.Encryption; {
	case c.SSEKMS:
		return types.ServerSideEncryptionAwsKms, optional(c.KeyID)
	case c.SSEOSS:
		return types.ServerSideEncryptionAes256, nil
	}
	return "", nil
}

// condition returns If-None-Match.
func condition(o *remote.Object) *string {
	if o.Exclusive {
		return aws.String("*")
	}
	return nil
}

// Put implements [remote.Dialect].
func (d *dialect) Put(ctx context.Context, o remote.Object, content io.ReadSeeker, md5 string) error {
	e, keyID := encryption(&o)
	_, err := d.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &o.Bucket, Key: &o.Key, Body: content, ContentType: &o.ContentType, ContentMD5: &md5, IfNoneMatch: condition(&o),
		ServerSideEncryption: e, SSEKMSKeyId: keyID,
	})
	return remote.Needs("s3:PutObject", coded(err))
}

// Begin implements [remote.Dialect].
func (d *dialect) Begin(ctx context.Context, o remote.Object) (string, error) {
	e, keyID := encryption(&o)
	out, err := d.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &o.Bucket, Key: &o.Key, ContentType: &o.ContentType, ServerSideEncryption: e, SSEKMSKeyId: keyID,
	})
	if err != nil {
		return "", remote.Needs("s3:PutObject", coded(err))
	}
	if aws.ToString(out.UploadId) == "" {
		return "", errors.New("the service has begun an upload without an id")
	}
	return *out.UploadId, nil
}

// Part implements [remote.Dialect].
func (d *dialect) Part(ctx context.Context, o remote.Object, upload string, number int, content io.ReadSeeker, md5 string) (string, error) {
	out, err := d.api.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload, PartNumber: aws.Int32(int32(number)), Body: content, ContentMD5: &md5,
	})
	if err != nil {
		return "", remote.Needs("s3:PutObject", coded(err))
	}
	return aws.ToString(out.ETag), nil
}

// Finish implements [remote.Dialect].
func (d *dialect) Finish(ctx context.Context, o remote.Object, upload string, etags []string) error {
	parts := make([]types.CompletedPart, len(etags))
	for i := range etags {
		parts[i] = types.CompletedPart{ETag: &etags[i], PartNumber: aws.Int32(int32(i + 1))}
	}
	_, err := d.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload, IfNoneMatch: condition(&o),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return remote.Needs("s3:PutObject", coded(err))
}

// Abort implements [remote.Dialect].
func (d *dialect) Abort(ctx context.Context, o remote.Object, upload string) error {
	_, err := d.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &o.Bucket, Key: &o.Key, UploadId: &upload})
	if err = remote.Needs("s3:AbortMultipartUpload", coded(err)); errors.Is(err, remote.ErrNoUpload) {
		return nil
	}
	return err
}

// Uploads implements [remote.Dialect].
func (d *dialect) Uploads(ctx context.Context, bucket, prefix string, after remote.Upload) (page []remote.Upload, next remote.Upload, err error) {
	out, err := d.api.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
		Bucket: &bucket, Prefix: &prefix, KeyMarker: optional(after.Key), UploadIdMarker: optional(after.ID),
	})
	if err != nil {
		return nil, next, remote.Needs("s3:ListBucketMultipartUploads", coded(err))
	}
	for _, u := range out.Uploads {
		page = append(page, remote.Upload{Key: aws.ToString(u.Key), ID: aws.ToString(u.UploadId)})
	}
	if aws.ToBool(out.IsTruncated) {
		next = remote.Upload{Key: aws.ToString(out.NextKeyMarker), ID: aws.ToString(out.NextUploadIdMarker)}
	}
	return page, next, nil
}
