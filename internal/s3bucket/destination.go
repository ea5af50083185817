package s3bucket

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// Destination returns a bucket as an [engine.Destination]. Files that are
// exclusive need a service that knows If-None-Match.
func (s *Store) Destination(bucket string) engine.Destination { return &destination{s, bucket} }

type destination struct {
	s      *Store
	bucket string
}

// Open implements [engine.Destination].
func (d *destination) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return d.open(ctx, key, nil)
}

// OpenRange implements [engine.Destination].
func (d *destination) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 {
		return nil, fmt.Errorf("%s: byte %d: %w", key, offset, io.ErrUnexpectedEOF)
	}
	wanted := fmt.Sprintf("bytes=%d-", offset)
	if length >= 0 {
		wanted += strconv.FormatInt(offset+max(length, 1)-1, 10) // there is no empty range
	}
	body, err := d.open(ctx, key, &wanted)
	if err != nil || length < 0 {
		return body, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, length), body}, nil
}

func (d *destination) open(ctx context.Context, key string, wanted *string) (io.ReadCloser, error) {
	out, err := d.s.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &d.bucket, Key: &key, Range: wanted})
	switch codeOf(err) {
	case "":
	case "NoSuchKey", "NotFound":
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	case "InvalidRange":
		return nil, fmt.Errorf("%s: %s: %w", key, *wanted, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, translate(d.bucket, err)
	}
	if wanted != nil && aws.ToString(out.ContentRange) == "" { // an empty object has no ranges, or the service knows none
		return nil, errors.Join(fmt.Errorf("%s: %s is not what came back: %w", key, *wanted, io.ErrUnexpectedEOF), out.Body.Close())
	}
	return out.Body, nil
}

// List implements [engine.Destination].
func (d *destination) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		sn := &snapshot{s: d.s, bucket: d.bucket}
		err := sn.Scan(ctx, engine.Segment{Prefix: prefix}, false, func(batch []stocktake.Record) error {
			for i := range batch {
				if !yield(string(batch[i].Key), nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield("", err)
		}
	}
}

var errEnough = errors.New("enough has been listed")

// Room implements [engine.Destination]. It is unknown.
func (d *destination) Room(ctx context.Context) (int64, error) { return -1, ctx.Err() }

// Remove implements [engine.Destination]: it deletes all versions of the object.
func (d *destination) Remove(ctx context.Context, key string) error {
	versioned, err := d.s.versioned(ctx, d.bucket)
	if err != nil {
		return err
	}
	if !versioned {
		return d.remove(ctx, key, nil)
	}
	var ids []string
	sn := &snapshot{s: d.s, bucket: d.bucket, versioned: true}
	err = sn.Scan(ctx, engine.Segment{Prefix: key, To: key + "\x00"}, true, func(batch []stocktake.Record) error {
		for i := range batch {
			ids = append(ids, string(batch[i].VersionID))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range ids {
		if err := d.remove(ctx, key, &ids[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *destination) remove(ctx context.Context, key string, version *string) error {
	_, err := d.s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.bucket, Key: &key, VersionId: version})
	switch codeOf(err) {
	case "NoSuchKey", "NoSuchVersion":
		return nil
	}
	return translate(d.bucket, err)
}

// Create implements [engine.Destination]. A file that is longer than a part is
// uploaded as it is written.
func (d *destination) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	return &file{d: d, ctx: context.WithoutCancel(ctx), key: key, opts: opts}, ctx.Err()
}

// file is an object on its way into a bucket.
type file struct {
	d    *destination
	ctx  context.Context // of Write, which has none; it does not end
	key  string
	opts engine.FileOptions

	buf    bytes.Buffer // the part at hand
	upload *string      // id of the multipart upload; nil: none is begun
	parts  []types.CompletedPart
	err    error // of the part that failed
	ended  bool
}

func (f *file) Write(p []byte) (n int, err error) {
	if f.ended {
		return 0, fs.ErrClosed
	}
	for len(p) > 0 && f.err == nil {
		if f.buf.Len() == f.d.s.opts.PartSize { // only what is followed by more is a part
			f.err = f.send(f.ctx)
			continue
		}
		m := min(len(p), f.d.s.opts.PartSize-f.buf.Len())
		f.buf.Write(p[:m])
		p, n = p[m:], n+m
	}
	return n, f.err
}

// encryption returns how the object is encrypted.
func (f *file) encryption() (e types.ServerSideEncryption, keyID *string) {
	switch c := f.opts.Encryption; {
	case c.SSEKMS:
		if c.KeyID != "" {
			keyID = &c.KeyID
		}
		return types.ServerSideEncryptionAwsKms, keyID
	case c.SSEOSS:
		return types.ServerSideEncryptionAes256, nil
	}
	return "", nil
}

// send uploads the part at hand.
func (f *file) send(ctx context.Context) error {
	d := f.d
	if f.upload == nil {
		e, keyID := f.encryption()
		out, err := d.s.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &d.bucket, Key: &f.key, ContentType: &f.opts.ContentType, ServerSideEncryption: e, SSEKMSKeyId: keyID,
		})
		if err != nil {
			return translate(d.bucket, err)
		}
		f.upload = out.UploadId
	}
	number := aws.Int32(int32(len(f.parts) + 1))
	out, err := d.s.api.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &d.bucket, Key: &f.key, UploadId: f.upload, PartNumber: number,
		Body: bytes.NewReader(f.buf.Bytes()), ContentMD5: contentMD5(f.buf.Bytes()),
	})
	if err != nil {
		return translate(d.bucket, err)
	}
	f.parts = append(f.parts, types.CompletedPart{ETag: out.ETag, PartNumber: number})
	f.buf.Reset()
	return nil
}

func contentMD5(b []byte) *string {
	sum := md5.Sum(b)
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}

// raceAttempts is how often an exclusive write is tried that loses against others
// that are not complete yet.
const raceAttempts = 5

// Commit implements [engine.File].
func (f *file) Commit(ctx context.Context, sum [16]byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.ended {
		return fs.ErrClosed
	}
	if f.err != nil {
		return f.err
	}
	if f.upload != nil {
		if f.err = f.send(ctx); f.err != nil {
			return f.err
		}
	}
	var err error
	for range raceAttempts {
		if f.upload != nil {
			err = f.complete(ctx)
		} else {
			err = f.put(ctx, sum)
		}
		if codeOf(err) != "ConditionalRequestConflict" {
			break
		}
	}
	if codeOf(err) == "PreconditionFailed" {
		return fmt.Errorf("%s: %w", f.key, fs.ErrExist)
	}
	if err != nil {
		return translate(f.d.bucket, err)
	}
	f.ended, f.upload = true, nil
	return nil
}

func (f *file) put(ctx context.Context, sum [16]byte) error {
	e, keyID := f.encryption()
	_, err := f.d.s.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &f.d.bucket, Key: &f.key, Body: bytes.NewReader(f.buf.Bytes()), ContentType: &f.opts.ContentType,
		ContentMD5: aws.String(base64.StdEncoding.EncodeToString(sum[:])), IfNoneMatch: f.condition(),
		ServerSideEncryption: e, SSEKMSKeyId: keyID,
	})
	return err
}

func (f *file) complete(ctx context.Context) error {
	_, err := f.d.s.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &f.d.bucket, Key: &f.key, UploadId: f.upload, IfNoneMatch: f.condition(),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: f.parts},
	})
	return err
}

func (f *file) condition() *string {
	if f.opts.Exclusive {
		return aws.String("*")
	}
	return nil
}

// Abort implements [engine.File].
func (f *file) Abort() error {
	f.ended = true
	if f.upload == nil {
		return nil
	}
	_, err := f.d.s.api.AbortMultipartUpload(f.ctx, &s3.AbortMultipartUploadInput{Bucket: &f.d.bucket, Key: &f.key, UploadId: f.upload})
	if f.upload = nil; codeOf(err) == "NoSuchUpload" {
		return nil
	}
	return translate(f.d.bucket, err)
}
