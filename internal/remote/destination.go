package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

type destination struct {
	s      *Store
	bucket string
}

// Open implements [engine.Destination].
func (d *destination) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	body, _, err := d.s.dialect.Get(ctx, d.bucket, key, "")
	return body, d.withKey(key, err)
}

// OpenRange implements [engine.Destination].
func (d *destination) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 {
		return nil, fmt.Errorf("%s: byte %d: %w", key, offset, io.ErrUnexpectedEOF)
	}
	span := fmt.Sprintf("bytes=%d-", offset)
	if length >= 0 {
		span += strconv.FormatInt(offset+max(length, 1)-1, 10) // there is no empty range
	}
	body, whole, err := d.s.dialect.Get(ctx, d.bucket, key, span)
	if err != nil {
		return nil, d.withKey(key, err)
	}
	if whole { // an empty object has no ranges, or the service knows none
		return nil, errors.Join(fmt.Errorf("%s: %s was not returned as written: %w", key, span, io.ErrUnexpectedEOF), body.Close())
	}
	if length < 0 {
		return body, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, length), body}, nil
}

// Address implements [engine.Addressed].
func (d *destination) Address() string { return d.s.dialect.Scheme() + "://" + d.bucket + "/" }

// withKey adds the object to an error.
func (d *destination) withKey(key string, err error) error { return withBucket(d.bucket+"/"+key, err) }

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

// FreeSpace implements [engine.Destination]. It is unknown.
func (d *destination) FreeSpace(ctx context.Context) (int64, error) { return -1, ctx.Err() }

// Remove implements [engine.Destination]: it deletes all versions of the object.
func (d *destination) Remove(ctx context.Context, key string) error {
	versioned, err := d.s.Versioned(ctx, d.bucket)
	if err != nil {
		return err
	}
	ids := []string{""}
	if versioned {
		ids = nil
		sn := &snapshot{s: d.s, bucket: d.bucket, versioned: true}
		err := sn.Scan(ctx, engine.Segment{Prefix: key, To: key + "\x00"}, true, func(batch []stocktake.Record) error {
			for i := range batch {
				ids = append(ids, string(batch[i].VersionID))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := d.s.dialect.Delete(ctx, d.bucket, key, id); err != nil {
			return d.withKey(key, err)
		}
	}
	return nil
}

// maxForeignUploads bounds the unfinished uploads of all keys that are examined.
const maxForeignUploads = 10_000

// AbortUploads implements [engine.Uploader]. MinIO treats a prefix as a whole key,
// so if the prefix finds nothing, the uploads of all keys are examined.
func (d *destination) AbortUploads(ctx context.Context, prefix string) (n int, err error) {
	if n, err = d.abortListed(ctx, prefix, prefix); n > 0 || err != nil || prefix == "" {
		return n, err
	}
	return d.abortListed(ctx, "", prefix)
}

// abortListed drops the uploads of keys that start with prefix, among those that
// the service lists for asked.
func (d *destination) abortListed(ctx context.Context, asked, prefix string) (n int, err error) {
	var after Upload
	for seen := 0; ; {
		page, next, err := d.s.dialect.ListUploads(ctx, d.bucket, asked, after)
		if err != nil {
			return n, d.withKey(prefix, err)
		}
		for _, u := range page {
			if !strings.HasPrefix(u.Key, prefix) { // the service ignores prefixes
				seen++
				continue
			}
			if err := d.s.dialect.AbortUpload(ctx, Object{Bucket: d.bucket, Key: u.Key}, u.ID); err != nil {
				return n, d.withKey(u.Key, err)
			}
			n++
		}
		switch {
		case next == Upload{}:
			return n, nil
		case next == after:
			return n, d.withKey(prefix, errors.New("the service lists the same unfinished uploads repeatedly"))
		case seen >= maxForeignUploads:
			return n, d.withKey(prefix, fmt.Errorf("more than %d unfinished uploads of other keys hide those of this key", maxForeignUploads))
		}
		after = next
	}
}

// Create implements [engine.Destination]. A file that is longer than a part is
// uploaded while it is written.
func (d *destination) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	o := Object{Bucket: d.bucket, Key: key, ContentType: opts.ContentType, Encryption: opts.Encryption, Exclusive: opts.Exclusive}
	return &file{d: d, ctx: context.WithoutCancel(ctx), object: o}, ctx.Err()
}
