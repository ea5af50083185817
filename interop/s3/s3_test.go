// Package s3_test runs internal/s3bucket against S3 servers that are built from
// their sources.
package s3_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
	"github.com/stocktake/stocktake/report"
)

// A server is a running S3 server, as the adapter and as the SDK see it.
type server struct {
	store *remote.Store
	api   *s3.Client
}

// startVersitygw builds versitygw, which ../servers pins, and starts it on a
// folder. It ends with the test.
func startVersitygw(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "versitygw")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/versity/versitygw/cmd/versitygw")
	build.Dir = filepath.Join("..", "servers")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build versitygw: %v\n%s", err, out)
	}
	data, versions := filepath.Join(dir, "data"), filepath.Join(dir, "versions")
	if err := errors.Join(os.Mkdir(data, 0o700), os.Mkdir(versions, 0o700)); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(binary, "--access", "key", "--secret", "secret", "--port", addr, "posix", "--versioning-dir", versions, data)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("versitygw:\n%s", log.Bytes()[max(0, log.Len()-3000):])
		}
	})
	awaitServer(t, addr)
	store, err := s3bucket.New(remote.Options{
		Endpoint: "http://" + addr, PartSize: 5 << 20,
		Credentials: remote.Static(remote.Credentials{AccessKeyID: "key", AccessKeySecret: "secret"}),
		Around: func(next http.RoundTripper) http.RoundTripper {
			return &throttle.Retry{Next: throttle.NewGate(next, throttle.Limits{})}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	provider := credentials.NewStaticCredentialsProvider("key", "secret", "")
	return &server{store, s3.New(s3.Options{BaseEndpoint: aws.String("http://" + addr), Region: "us-east-1", UsePathStyle: true, Credentials: provider})}
}

// awaitServer waits until something listens.
func awaitServer(t *testing.T, addr string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

var buckets atomic.Int64

func (s *server) newBucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", buckets.Add(1))
	if _, err := s.api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return name
}

// contractBucket is a bucket of versitygw for the suite.
type contractBucket struct {
	t    *testing.T
	s    *server
	name string
}

func (b *contractBucket) Source() engine.Source { return b.s.store.Source() }
func (b *contractBucket) Name() string          { return b.name }
func (b *contractBucket) Can() sourcetest.Abilities {
	return sourcetest.Abilities{
		Versions: true, IgnoresMissing: true, Batch: 1000, MD5: true, Types: []stocktake.ObjectType{stocktake.Multipart}, NoTypes: true,
		Refuses: refuses,
	}
}

// refuses reports whether versitygw cannot have a key, as it keeps objects as
// files, and lists control characters as something else.
func refuses(key string) bool {
	if key == "a/b" || key == "😀/" {
		return true
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] == 0x7f {
			return true
		}
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 255 {
			return true
		}
	}
	return false
}

func (b *contractBucket) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *contractBucket) Put(o sourcetest.Object) string {
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
	out, err := b.s.api.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &o.Key, Body: strings.NewReader(o.Body)})
	if err != nil {
		b.t.Fatalf("put %q: %v", o.Key, err)
	}
	return aws.ToString(out.VersionId)
}

func (b *contractBucket) Delete(key string) string {
	out, err := b.s.api.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	b.check(err)
	return aws.ToString(out.VersionId)
}

func (b *contractBucket) DeleteVersion(key, id string) {
	_, err := b.s.api.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, VersionId: &id})
	b.check(err)
}

func (b *contractBucket) SetVersioning(enabled bool) {
	status := types.BucketVersioningStatusSuspended
	if enabled {
		status = types.BucketVersioningStatusEnabled
	}
	_, err := b.s.api.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{Bucket: &b.name, VersioningConfiguration: &types.VersioningConfiguration{Status: status}})
	b.check(err)
}

func TestVersitygw(t *testing.T) {
	s := startVersitygw(t)
	t.Run("source", func(t *testing.T) {
		sourcetest.Run(t, func(t *testing.T) sourcetest.Bucket { return &contractBucket{t, s, s.newBucket(t)} })
	})
	t.Run("destination", func(t *testing.T) {
		sourcetest.RunDestination(t, func(t *testing.T) engine.Destination { return limited{s.store.Destination(s.newBucket(t))} })
	})
	t.Run("long files", func(t *testing.T) { testLongFiles(t, s) })
	t.Run("report", func(t *testing.T) { testReport(t, s) })
}

// limited is a destination that refuses what versitygw does.
type limited struct{ engine.Destination }

func (limited) Refuses(key string) bool {
	return key == "odd" || refuses(key) || refuses(strings.TrimPrefix(key, "odd/"))
}

// testLongFiles: a file of several parts is visible whole or not at all, and
// leaves no upload behind.
func testLongFiles(t *testing.T, s *server) {
	bucket := s.newBucket(t)
	d := s.store.Destination(bucket)
	uploads := func() int {
		t.Helper()
		out, err := s.api.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Uploads)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 700_000) // 11.2 MB: three parts
	write := func(exclusive bool) engine.File {
		t.Helper()
		f, err := d.Create(t.Context(), "long", engine.FileOptions{ContentType: "application/octet-stream", Exclusive: exclusive})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		return f
	}
	aborted := write(false)
	if uploads() != 1 {
		t.Error("the parts are not uploaded as they are written")
	}
	if err := aborted.Abort(); err != nil {
		t.Error(err)
	}
	if _, err := d.Open(t.Context(), "long"); !errors.Is(err, fs.ErrNotExist) || uploads() != 0 {
		t.Errorf("after Abort: %v, %d uploads", err, uploads())
	}
	if err := write(true).Commit(t.Context(), md5.Sum(content)); err != nil {
		t.Fatal(err)
	}
	second := write(true)
	if err := second.Commit(t.Context(), md5.Sum(content)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("where there is one: %v, want %v", err, fs.ErrExist)
	}
	if err := second.Abort(); err != nil || uploads() != 0 {
		t.Errorf("%v, %d uploads are left", err, uploads())
	}
	f, err := d.Open(t.Context(), "long")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v, want %d", len(got), err, len(content))
	}
}

// testReport: a run over a bucket with versions reports each of them once, though
// versitygw 1.8 repeats delete markers across pages.
func testReport(t *testing.T, s *server) {
	source := &contractBucket{t, s, s.newBucket(t)}
	source.SetVersioning(true)
	const keys = 700 // with a marker and a version each, more than a page
	for i := range keys {
		key := fmt.Sprintf("photos/%04d.jpg", i)
		source.Put(sourcetest.Object{Key: key, Body: "x"})
		source.Delete(key)
	}
	dst := s.store.Destination(s.newBucket(t))
	job := engine.Job{Run: "run-1", Attempt: 1, Bucket: source.name, Configuration: stocktake.InventoryConfiguration{
		ID: "all", IncludedObjectVersions: stocktake.AllVersions, OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldETag},
		Destination: stocktake.Destination{Format: "CSV", Bucket: "reports"},
	}}
	result, err := engine.Run(t.Context(), s.store.Source(), dst, job, engine.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	v, err := report.Verify(t.Context(), dst, result.Manifest, report.VerifyOptions{})
	if err != nil || !v.OK || v.Rows != 2*keys {
		t.Errorf("%+v, %v, want %d rows", v, err, 2*keys)
	}
}
