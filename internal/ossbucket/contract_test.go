package ossbucket_test

import (
	"context"
	"crypto/md5"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
	"github.com/stocktake/stocktake/internal/ossbucket"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/throttle"
	"github.com/stocktake/stocktake/stocktaketest"
)

// A service is an OSS server, as the adapter and as the SDK see it.
type service struct {
	store   *remote.Store
	api     *oss.Client
	buckets atomic.Int64
}

func start(t *testing.T) *service {
	t.Helper()
	s := stocktaketest.New(t)
	store, err := ossbucket.New(remote.Options{
		Endpoint: s.Endpoint, Region: s.Region, PartSize: 5 << 20,
		Credentials: remote.Static(remote.Credentials{AccessKeyID: s.AccessKeyID, AccessKeySecret: s.AccessKeySecret}),
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return &throttle.Retry{Next: throttle.NewGate(next, throttle.Limits{})}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &service{store: store, api: s.Client()}
}

func (s *service) newBucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", s.buckets.Add(1))
	if _, err := s.api.PutBucket(t.Context(), &oss.PutBucketRequest{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	// Objects may be public.
	if _, err := s.api.PutBucketPublicAccessBlock(t.Context(), &oss.PutBucketPublicAccessBlockRequest{
		Bucket: &name, PublicAccessBlockConfiguration: &oss.PublicAccessBlockConfiguration{BlockPublicAccess: oss.Ptr(false)},
	}); err != nil {
		t.Fatal(err)
	}
	return name
}

// bucket is a bucket of the service for the suite.
type bucket struct {
	t    *testing.T
	s    *service
	name string
}

func (b *bucket) Source() engine.Source { return b.s.store.Source() }
func (b *bucket) Name() string          { return b.name }
func (b *bucket) Can() sourcetest.Abilities {
	return sourcetest.Abilities{
		Versions: true, Batch: 1000, MD5: true,
		Classes: []stocktake.StorageClass{stocktake.IA, stocktake.Archive, stocktake.ColdArchive, stocktake.DeepColdArchive},
		Types:   []stocktake.ObjectType{stocktake.Multipart, stocktake.Appendable, stocktake.Symlink},
		ACLs:    []stocktake.ACL{stocktake.Private, stocktake.PublicRead, stocktake.PublicReadWrite},
		Tags:    true, Encryption: true, CRC64: true,
		Refuses: func(key string) bool { return strings.HasPrefix(key, "/") || strings.HasPrefix(key, "\\") },
	}
}

func (b *bucket) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bucket) Put(o sourcetest.Object) string {
	b.t.Helper()
	ctx, class := context.Background(), oss.StorageClassType(o.Class.String())
	switch o.Type {
	case stocktake.Multipart:
		up, err := b.s.api.InitiateMultipartUpload(ctx, &oss.InitiateMultipartUploadRequest{Bucket: &b.name, Key: &o.Key, StorageClass: class})
		b.check(err)
		part, err := b.s.api.UploadPart(ctx, &oss.UploadPartRequest{Bucket: &b.name, Key: &o.Key, UploadId: up.UploadId, PartNumber: 1, Body: strings.NewReader(o.Body)})
		b.check(err)
		out, err := b.s.api.CompleteMultipartUpload(ctx, &oss.CompleteMultipartUploadRequest{
			Bucket: &b.name, Key: &o.Key, UploadId: up.UploadId,
			CompleteMultipartUpload: &oss.CompleteMultipartUpload{Parts: []oss.UploadPart{{ETag: part.ETag, PartNumber: 1}}},
		})
		b.check(err)
		return oss.ToString(out.VersionId)
	case stocktake.Appendable:
		out, err := b.s.api.AppendObject(ctx, &oss.AppendObjectRequest{Bucket: &b.name, Key: &o.Key, Position: oss.Ptr(int64(0)), Body: strings.NewReader(o.Body)})
		b.check(err)
		return oss.ToString(out.VersionId)
	case stocktake.Symlink:
		out, err := b.s.api.PutSymlink(ctx, &oss.PutSymlinkRequest{Bucket: &b.name, Key: &o.Key, Target: &o.Body})
		b.check(err)
		return oss.ToString(out.VersionId)
	}
	put := &oss.PutObjectRequest{Bucket: &b.name, Key: &o.Key, StorageClass: class, Body: strings.NewReader(o.Body)}
	if o.ACL != stocktake.DefaultACL {
		put.Acl = oss.ObjectACLType(o.ACL.String())
	}
	if o.Encrypted {
		put.ServerSideEncryption = oss.Ptr("AES256")
	}
	var tags []string
	for i := range o.Tags {
		tags = append(tags, fmt.Sprintf("tag%d=x", i))
	}
	if tags != nil {
		put.Tagging = oss.Ptr(strings.Join(tags, "&"))
	}
	out, err := b.s.api.PutObject(ctx, put)
	if err != nil {
		b.t.Fatalf("put %q: %v", o.Key, err)
	}
	return oss.ToString(out.VersionId)
}

func (b *bucket) Delete(key string) string {
	out, err := b.s.api.DeleteObject(context.Background(), &oss.DeleteObjectRequest{Bucket: &b.name, Key: &key})
	b.check(err)
	return oss.ToString(out.VersionId)
}

func (b *bucket) DeleteVersion(key, id string) {
	_, err := b.s.api.DeleteObject(context.Background(), &oss.DeleteObjectRequest{Bucket: &b.name, Key: &key, VersionId: &id})
	b.check(err)
}

func (b *bucket) SetVersioning(enabled bool) {
	status := oss.VersionSuspended
	if enabled {
		status = oss.VersionEnabled
	}
	_, err := b.s.api.PutBucketVersioning(context.Background(), &oss.PutBucketVersioningRequest{Bucket: &b.name, VersioningConfiguration: &oss.VersioningConfiguration{Status: status}})
	b.check(err)
}

func TestSource(t *testing.T) {
	s := start(t)
	sourcetest.Run(t, func(t *testing.T) sourcetest.Bucket { return &bucket{t, s, s.newBucket(t)} })
}

func TestDestination(t *testing.T) {
	s := start(t)
	for _, versioning := range []bool{false, true} {
		t.Run(fmt.Sprintf("versioning %v", versioning), func(t *testing.T) {
			sourcetest.RunDestination(t, func(t *testing.T) engine.Destination {
				b := &bucket{t, s, s.newBucket(t)}
				if versioning {
					b.SetVersioning(true)
				}
				return &destination{s.store.Destination(b.name), versioning}
			})
		})
	}
}

// destination is one that says what OSS does not.
type destination struct {
	engine.Destination
	versioning bool
}

func (*destination) Refuses(key string) bool {
	return strings.HasPrefix(key, "/") || strings.HasPrefix(key, "\\")
}

// Races says that the condition of a write has no effect.
func (d *destination) Races() bool { return d.versioning }

// The name of the bucket may be in the host, as Alibaba Cloud wants it.
func TestVirtualHosts(t *testing.T) {
	s := stocktaketest.New(t, stocktaketest.WithBuckets("photos"))
	addr := strings.TrimPrefix(s.Endpoint, "http://")
	var hosts sync.Map
	transport := &http.Transport{DialContext: func(ctx context.Context, network, host string) (net.Conn, error) {
		hosts.Store(host, true)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	store, err := ossbucket.New(remote.Options{
		Endpoint: "http://oss-cn-hangzhou.aliyuncs.com", Transport: transport,
		Credentials: remote.Static(remote.Credentials{AccessKeyID: s.AccessKeyID, AccessKeySecret: s.AccessKeySecret}),
	})
	if err != nil {
		t.Fatal(err)
	}
	d := store.Destination("photos")
	for _, key := range []string{"a/b +%.csv", ".."} {
		f, err := d.Create(t.Context(), key, engine.FileOptions{ContentType: "text/csv", Exclusive: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(t.Context(), md5.Sum(nil)); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	var keys []string
	for key, err := range d.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if want := []string{"..", "a/b +%.csv"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if _, ok := hosts.Load("photos.oss-cn-hangzhou.aliyuncs.com:80"); !ok {
		t.Error("the bucket is not in the host")
	}
}

// AbortUploads drops the uploads below a prefix, a page and more of them, and no
// others.
func TestAbortUploads(t *testing.T) {
	s := start(t)
	b := &bucket{t, s, s.newBucket(t)}
	begin := func(key string) {
		t.Helper()
		_, err := s.api.InitiateMultipartUpload(t.Context(), &oss.InitiateMultipartUploadRequest{Bucket: &b.name, Key: &key})
		b.check(err)
	}
	const many = 1005
	for i := range many {
		begin(fmt.Sprintf("inv/data/run-%d é+%%2F.csv.gz", i/2)) // two of each key
	}
	begin("inv/data/other")
	b.Put(sourcetest.Object{Key: "inv/data/run-object", Body: "x"})
	dst := s.store.Destination(b.name).(engine.Uploader)
	if n, err := dst.AbortUploads(t.Context(), "inv/data/run-"); err != nil || n != many {
		t.Errorf("%d uploads were aborted, want %d; %v", n, many, err)
	}
	if n, err := dst.AbortUploads(t.Context(), "inv/data/run-"); err != nil || n != 0 {
		t.Errorf("%d uploads were aborted again; %v", n, err)
	}
	left, err := s.api.ListMultipartUploads(t.Context(), &oss.ListMultipartUploadsRequest{Bucket: &b.name})
	b.check(err)
	if len(left.Uploads) != 1 || oss.ToString(left.Uploads[0].Key) != "inv/data/other" {
		t.Errorf("left are %+v", left.Uploads)
	}
}
