package interop_test

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	_ "github.com/stretchr/testify/assert" // the SDK's suite needs it; this keeps it in go.mod

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/gosdk"
	"github.com/stocktake/stocktake/interop/internal/score"
	"github.com/stocktake/stocktake/interop/internal/stage"
)

//go:embed testdata/sdk-go-v2.txt
var listGoSDK string

// TestGoSDK runs the integration suite of the official Go SDK against a server
// that has the host names of OSS, once with each signature version. The tests
// of testdata/sdk-go-v2.txt must pass; the table of all of them, with -update,
// goes to docs/compatibility.md.
func TestGoSDK(t *testing.T) {
	var binary, suite, sources string
	versions := []string{"v1", "v4"}
	results := make([][]score.Result, len(versions))
	list := score.ParseList(listGoSDK)
	if !stage.Inside() {
		binary, suite = build(t), filepath.Join(t.TempDir(), "sdk.test")
		if err := gosdk.Compile(t.Context(), suite); err != nil {
			t.Fatal(err)
		}
		var err error
		var version string
		if version, sources, err = gosdk.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			title := fmt.Sprintf("`%s` %s", gosdk.Module, version)
			tabulate(t, "sdk-go-v2", title, []string{"V1", "V4"}, slices.Concat(results...), list.Reasons)
		})
	}
	for i, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel() // most of the suite's time is sleep
			if stage.Inside() {
				runGoSDK(t, version)
				return
			}
			path := filepath.Join(t.TempDir(), "results.json")
			stage.Rerun(t, envBinary+"="+binary, envSuite+"="+suite, envSources+"="+sources, envResults+"="+path)
			var got []gosdk.Result
			load(t, path, &got)
			results[i] = scores(version, got)
			score.Judge(t, list, results[i])
		})
	}
}

// runGoSDK runs the suite on the stage and saves its results in a file.
func runGoSDK(t *testing.T, version string) {
	server := serve(t, "--allow-callbacks", "--callback-networks", stage.WorldAddr+"/32")
	serveWorld(t)
	tests, err := gosdk.Tests(os.Getenv(envSources))
	if err != nil {
		t.Fatal(err)
	}
	const pathStyleBucket = "path-style"
	if _, err := client().PutBucket(t.Context(), &oss.PutBucketRequest{Bucket: oss.Ptr(pathStyleBucket)}); err != nil {
		t.Fatal(err)
	}
	runner := gosdk.Runner{
		Binary: os.Getenv(envSuite), Dir: t.TempDir(), Parallel: 6, Limit: time.Minute,
		Env: gosdk.Env{
			Endpoint: endpoint, Region: testserver.Region,
			AccessKeyID: testserver.AccessKeyID, Secret: testserver.AccessKeySecret,
			AccountID: testserver.AccountID, RoleARN: roleARN,
			PathStyleBucket: pathStyleBucket, Signature: version, CertFile: stage.CertFile(),
		},
	}
	results := runner.Run(t.Context(), tests, func(prefix string) { sweep(t.Context(), client(), prefix) })
	if err := t.Context().Err(); err != nil {
		t.Fatal(err)
	}
	save(t, results)
	noPanic(t, server)
}

// sweep removes the buckets that failed tests have left, if possible, so that no later test
// reaches the limit of 100 buckets because of them.
func sweep(ctx context.Context, c *oss.Client, prefix string) {
	buckets, err := c.ListBuckets(ctx, &oss.ListBucketsRequest{Prefix: oss.Ptr(prefix)})
	if err != nil {
		return
	}
	for _, b := range buckets.Buckets {
		versions := c.NewListObjectVersionsPaginator(&oss.ListObjectVersionsRequest{Bucket: b.Name})
		for versions.HasNext() {
			page, err := versions.NextPage(ctx)
			if err != nil {
				break
			}
			for _, v := range page.ObjectVersions {
				_, _ = c.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: b.Name, Key: v.Key, VersionId: v.VersionId})
			}
			for _, v := range page.ObjectDeleteMarkers {
				_, _ = c.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: b.Name, Key: v.Key, VersionId: v.VersionId})
			}
		}
		uploads := c.NewListMultipartUploadsPaginator(&oss.ListMultipartUploadsRequest{Bucket: b.Name})
		for uploads.HasNext() {
			page, err := uploads.NextPage(ctx)
			if err != nil {
				break
			}
			for _, u := range page.Uploads {
				_, _ = c.AbortMultipartUpload(ctx, &oss.AbortMultipartUploadRequest{Bucket: b.Name, Key: u.Key, UploadId: u.UploadId})
			}
		}
		_, _ = c.DeleteBucket(ctx, &oss.DeleteBucketRequest{Bucket: b.Name})
	}
}

// scores converts the suite's results under one signature version to scores.
func scores(version string, results []gosdk.Result) []score.Result {
	all := make([]score.Result, len(results))
	for i, r := range results {
		all[i] = score.Result{
			Test: r.Test, Column: strings.ToUpper(version), Pass: r.Status == gosdk.Pass,
			How: fmt.Sprintf("%s after %.1f s", r.Status, r.Seconds), Output: r.Output,
		}
	}
	return all
}
