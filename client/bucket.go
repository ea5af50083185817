package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

// A Bucket reads the objects of a bucket through the OSS API. Package report reads
// reports from it.
type Bucket struct {
	oss  *oss.Client
	name string
}

// NewBucket returns the bucket with the name given, as c sees it.
func NewBucket(c *oss.Client, name string) *Bucket { return &Bucket{c, name} }

// URL returns the address of a key: "oss://BUCKET/KEY".
func (b *Bucket) URL(key string) string { return "oss://" + b.name + "/" + key }

// Open reads an object. The error is fs.ErrNotExist if it is missing.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.get(ctx, &oss.GetObjectRequest{Bucket: &b.name, Key: &key})
	if err != nil {
		return nil, err
	}
	return r.Body, nil
}

// OpenRange reads length bytes of an object from offset, or up to its end if length is negative or
// the object is shorter. The error is fs.ErrNotExist if the object is missing, io.ErrUnexpectedEOF
// if it has no byte at offset.
func (b *Bucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	where := b.URL(key)
	if offset < 0 {
		return nil, fmt.Errorf("%s: byte %d: %w", where, offset, io.ErrUnexpectedEOF)
	}
	wanted := fmt.Sprintf("bytes=%d-", offset)
	if length >= 0 {
		wanted += fmt.Sprint(offset + max(length, 1) - 1) // there is no empty range
	}
	// Without the header RangeBehavior, OSS answers a range beyond the end with the whole object.
	r, err := b.get(ctx, &oss.GetObjectRequest{Bucket: &b.name, Key: &key, Range: &wanted, RangeBehavior: oss.Ptr("standard")})
	if err != nil {
		return nil, err
	}
	if got := oss.ToString(r.ContentRange); !strings.HasPrefix(got, fmt.Sprintf("bytes %d-", offset)) {
		return nil, errors.Join(fmt.Errorf("%s: asked for %s, the server answered with the range %q", where, wanted, got), r.Body.Close())
	}
	if length < 0 {
		return r.Body, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r.Body, length), r.Body}, nil
}

func (b *Bucket) get(ctx context.Context, req *oss.GetObjectRequest) (*oss.GetObjectResult, error) {
	where := b.URL(*req.Key)
	r, err := b.oss.GetObject(ctx, req)
	if serr, ok := errors.AsType[*oss.ServiceError](err); ok {
		switch {
		case serr.StatusCode == http.StatusNotFound && serr.Code == "NoSuchKey":
			return nil, fmt.Errorf("%s: %w", where, fs.ErrNotExist)
		case serr.StatusCode == http.StatusRequestedRangeNotSatisfiable:
			return nil, fmt.Errorf("%s: %s lie beyond its end: %w", where, oss.ToString(req.Range), io.ErrUnexpectedEOF)
		}
	}
	if err != nil {
		return nil, explain("read "+where, err)
	}
	return r, nil
}

// List yields the keys that start with prefix, ascending, page by page.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range b.Objects(ctx, prefix) {
			if !yield(oss.ToString(o.Key), err) {
				return
			}
		}
	}
}

// Objects yields the objects whose key starts with prefix, by key. An error is yielded last, also
// for a server that makes no progress.
func (b *Bucket) Objects(ctx context.Context, prefix string) iter.Seq2[oss.ObjectProperties, error] {
	return func(yield func(oss.ObjectProperties, error) bool) {
		where, last := b.URL(prefix), ""
		p := b.oss.NewListObjectsV2Paginator(&oss.ListObjectsV2Request{Bucket: &b.name, Prefix: &prefix, MaxKeys: 1000})
		for p.HasNext() {
			page, err := p.NextPage(ctx)
			if err == nil && len(page.Contents) == 0 && page.IsTruncated {
				err = errors.New("the server returned an empty page that is not the last")
			}
			if err != nil {
				yield(oss.ObjectProperties{}, explain("list "+where, err))
				return
			}
			for _, o := range page.Contents {
				key := oss.ToString(o.Key)
				if key <= last || !strings.HasPrefix(key, prefix) {
					yield(oss.ObjectProperties{}, explain("list "+where, fmt.Errorf("the server returned %q after %q", key, last)))
					return
				}
				last = key
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}
