// Package stores_test runs internal/s3bucket against S3 servers: versitygw and MinIO,
// built from their sources, and Ceph's radosgw from Debian. The tests of rights and
// of store check also run against another Stocktake, through internal/ossbucket. If a
// server cannot be started, the tests fail with what is missing; they do not skip.
package stores_test

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
	"github.com/stocktake/stocktake/report"
)

func TestVersitygw(t *testing.T) { testServer(t, startVersitygw(t)) }
func TestMinIO(t *testing.T)     { testServer(t, startMinIO(t)) }
func TestRadosgw(t *testing.T)   { testServer(t, startRadosgw(t)) }

func testServer(t *testing.T, s *server) {
	t.Run("source", func(t *testing.T) {
		sourcetest.Run(t, func(t *testing.T) sourcetest.Bucket { return &contractBucket{t, s, s.newBucket(t)} })
	})
	t.Run("destination", func(t *testing.T) {
		sourcetest.RunDestination(t, func(t *testing.T) engine.Destination { return destination{s.store.Destination(s.newBucket(t)), s} })
	})
	t.Run("table", func(t *testing.T) { testTable(t, s) })
	t.Run("random bucket", func(t *testing.T) { testRandomBucket(t, s) })
	t.Run("long files", func(t *testing.T) { testLongFiles(t, s) })
	t.Run("rights", func(t *testing.T) { testRights(t, s) })
	t.Run("faults", func(t *testing.T) { testFaults(t, s) })
	t.Run("report", func(t *testing.T) { testReport(t, s) })
	t.Run("inventories", func(t *testing.T) { testInventories(t, s) })
	t.Run("shared listings", func(t *testing.T) { testSharedListings(t, s) })
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
	write(false) // and its process dies
	if _, err := s.api.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: aws.String("l")}); err != nil {
		t.Fatal(err)
	}
	if n, err := d.(engine.Uploader).AbortUploads(t.Context(), "lo"); err != nil || n != 1 || uploads() != 1 {
		t.Errorf("%d uploads were aborted, %d are left; %v", n, uploads(), err)
	}
	if n, err := d.(engine.Uploader).AbortUploads(t.Context(), ""); err != nil || n != 1 {
		t.Errorf("%d uploads were aborted; %v", n, err)
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
