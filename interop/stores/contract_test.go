package stores_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/s3bucket"
	"github.com/stocktake/stocktake/internal/throttle"
)

// A server is a running S3 server, as the adapter and as the SDK see it.
type server struct {
	name     string
	endpoint string
	store    *remote.Store
	api      *s3.Client
	buckets  *atomic.Int64
	keys     *keys
	restart  func() error // ends the server and starts it again; nil: it cannot be

	// makeUser makes a user without rights.
	makeUser func(t *testing.T, s *server) *user

	conditional    bool // it knows If-None-Match
	ignoresMissing bool // a delete of a key without versions adds no marker
	ignoresDeleted bool // nor does a delete of a key whose current version is one
	flat           bool // of "a" and "a/b", and of "a" and "a/", it lists one at most
	unordered      bool // of the versions of a key, the latest may not come first
	acls           bool // it tells the ACLs of objects
	encodes        bool // it knows encoding-type=url
	pageSize       int  // small pages, of the test of listings
}

// open makes the clients of a server that runs.
func open(t *testing.T, s server) *server {
	t.Helper()
	s.store = s.open(t, 0)
	s.api = s3.New(s3.Options{
		BaseEndpoint: &s.endpoint, Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		// Ceph 16 knows no checksums.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	s.buckets = new(atomic.Int64)
	s.keys = &keys{s: &s, bucket: s.newBucket(t), known: map[string]bool{}}
	return &s
}

// open returns the adapter.
func (s *server) open(t *testing.T, pageSize int) *remote.Store {
	t.Helper()
	return s.openAs(t, accessKey, secretKey, pageSize)
}

// openAs returns the adapter with the keys of a user.
func (s *server) openAs(t *testing.T, key, secret string, pageSize int) *remote.Store {
	t.Helper()
	store, err := s3bucket.New(remote.Options{
		Endpoint: s.endpoint, PartSize: 5 << 20, PageSize: pageSize,
		Credentials: remote.Static(remote.Credentials{AccessKeyID: key, AccessKeySecret: secret}),
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return &throttle.Retry{Next: throttle.NewGate(next, throttle.Limits{})}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func (s *server) newBucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", s.buckets.Add(1))
	if _, err := s.api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return name
}

// keys finds out which keys a server can hold together with those that it already
// holds, and lists unchanged. It uses the SDK, not the adapter.
type keys struct {
	s      *server
	bucket string
	known  map[string]bool
}

// refuses reports whether the server cannot hold a key. It is called for keys in
// ascending order: of "a" and "a/b", versitygw can hold one.
func (k *keys) refuses(key string) bool {
	held, ok := k.known[key]
	if !ok {
		held = !k.s.flat || !k.nested(key)
		held = held && k.put(key)
		k.known[key] = held
	}
	return !held
}

// nested reports whether key lies below another one as in a folder, or above.
func (k *keys) nested(key string) bool {
	for other, held := range k.known {
		if held && (strings.HasPrefix(key, other+"/") || strings.HasPrefix(other, key+"/")) {
			return true
		}
	}
	return false
}

func (k *keys) put(key string) bool {
	ctx := context.Background()
	if _, err := k.s.api.PutObject(ctx, &s3.PutObjectInput{Bucket: &k.bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
		return false
	}
	rows, err := k.s.list(ctx, k.bucket)
	if err != nil {
		panic(err) // the SDK cannot read what the server lists
	}
	for _, r := range rows {
		if r.key == key {
			return true
		}
	}
	// It is listed as another key, which would affect the next test.
	_, err = k.s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &k.bucket, Key: &key})
	if err != nil {
		panic(err)
	}
	return false
}

// contractBucket is a bucket of a server for the suite.
type contractBucket struct {
	t    *testing.T
	s    *server
	name string
}

func (b *contractBucket) Source() engine.Source { return b.s.store.Source() }
func (b *contractBucket) Name() string          { return b.name }
func (b *contractBucket) Can() sourcetest.Abilities {
	return sourcetest.Abilities{
		S3Classes: true,
		Versions:  true, IgnoresMissing: b.s.ignoresMissing, IgnoresDeleted: b.s.ignoresDeleted, Batch: 1000, MD5: true,
		Types: []stocktake.ObjectType{stocktake.Multipart}, OwnACLs: b.s.acls, NoACLs: !b.s.acls, Tags: true, NoTypes: true, NoChecksums: true, Refuses: b.s.keys.refuses,
	}
}

func (b *contractBucket) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *contractBucket) Put(o sourcetest.Object) string {
	b.t.Helper()
	ctx := context.Background()
	if o.Type == stocktake.Multipart {
		up, err := b.s.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &o.Key})
		b.check(err)
		part, err := b.s.api.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: &o.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(o.Body)})
		b.check(err)
		out, err := b.s.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &b.name, Key: &o.Key, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}},
		})
		b.check(err)
		return aws.ToString(out.VersionId)
	}
	put := &s3.PutObjectInput{Bucket: &b.name, Key: &o.Key, Body: strings.NewReader(o.Body)}
	var tags []string
	for i := range o.Tags {
		tags = append(tags, fmt.Sprintf("tag%d=x", i))
	}
	if tags != nil {
		put.Tagging = aws.String(strings.Join(tags, "&"))
	}
	out, err := b.s.api.PutObject(ctx, put)
	if err != nil {
		b.t.Fatalf("put %q: %v", o.Key, err)
	}
	return aws.ToString(out.VersionId)
}

func (b *contractBucket) Delete(key string) string {
	b.t.Helper()
	out, err := b.s.api.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	b.check(err)
	return aws.ToString(out.VersionId)
}

func (b *contractBucket) DeleteVersion(key, id string) {
	b.t.Helper()
	_, err := b.s.api.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, VersionId: &id})
	b.check(err)
}

func (b *contractBucket) SetVersioning(enabled bool) {
	b.t.Helper()
	status := types.BucketVersioningStatusSuspended
	if enabled {
		status = types.BucketVersioningStatusEnabled
	}
	_, err := b.s.api.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{Bucket: &b.name, VersioningConfiguration: &types.VersioningConfiguration{Status: status}})
	b.check(err)
}

// destination is a destination that declares what the server cannot do.
type destination struct {
	engine.Destination
	s *server
}

func (d destination) Refuses(key string) bool { return d.s.keys.refuses(key) }
func (d destination) Races() bool             { return !d.s.conditional }
