package interop_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	_ "github.com/stretchr/testify/assert" // the SDK's suite needs it; this keeps it in go.mod

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/document"
	"github.com/stocktake/stocktake/interop/internal/gosdk"
	"github.com/stocktake/stocktake/interop/internal/stage"
)

//go:embed testdata/sdk-go-v2.txt
var mustPass string

// TestGoSDK runs the integration suite of the official Go SDK against a server
// that has the host names of OSS, once with each signature version. The tests
// of testdata/sdk-go-v2.txt must pass; the table of all of them, with -update,
// goes to docs/compatibility.md.
func TestGoSDK(t *testing.T) {
	var binary, suite, sources string
	var results sync.Map // signature version: []gosdk.Result
	if !stage.Inside() {
		binary, suite = build(t), filepath.Join(t.TempDir(), "sdk.test")
		if err := gosdk.Compile(t.Context(), suite); err != nil {
			t.Fatal(err)
		}
		var err error
		if _, sources, err = gosdk.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tabulate(t, &results) })
	}
	for _, version := range []string{"v1", "v4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel() // most of the suite's time is sleep
			if stage.Inside() {
				runGoSDK(t, version)
				return
			}
			path := filepath.Join(t.TempDir(), "results.json")
			stage.Rerun(t, envBinary+"="+binary, envSuite+"="+suite, envSources+"="+sources, envResults+"="+path)
			var got []gosdk.Result
			text, err := os.ReadFile(path)
			if err == nil {
				err = json.Unmarshal(text, &got)
			}
			if err != nil {
				t.Fatal(err)
			}
			results.Store(version, got)
			judge(t, got)
		})
	}
}

// runGoSDK runs the suite on the stage and leaves its results in a file.
func runGoSDK(t *testing.T, version string) {
	server := serve(t, "--allow-callbacks")
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
	text, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv(envResults), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(server.Log(), "panic") {
		t.Errorf("the server panicked:\n%s", server.Log())
	}
}

// sweep removes the buckets that a failed test left, as far as they go, so that
// no later test meets the limit of 100 buckets because of it.
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

// judge fails t for each test that must pass and did not, and keeps the output
// of all that did not among the test's artifacts.
func judge(t *testing.T, results []gosdk.Result) {
	must := required()
	var passed int
	for _, r := range results {
		if r.Status == gosdk.Pass {
			passed++
		} else if err := os.WriteFile(filepath.Join(t.ArtifactDir(), r.Test+".txt"), []byte(r.Output), 0o644); err != nil {
			t.Error(err)
		}
		if slices.Contains(must, r.Test) && r.Status != gosdk.Pass {
			t.Errorf("%s: %s after %.1f s\n%s", r.Test, r.Status, r.Seconds, clip(r.Output))
		}
		must = slices.DeleteFunc(must, func(name string) bool { return name == r.Test })
	}
	if len(must) > 0 {
		t.Errorf("the suite no longer has %v", must)
	}
	t.Logf("%d of %d tests pass", passed, len(results))
	if passed > len(required()) {
		t.Logf("testdata/sdk-go-v2.txt does not name: %s", strings.Join(surplus(results), " "))
	}
}

// required reads the names of the tests that must pass.
func required() []string {
	var names []string
	for line := range strings.Lines(mustPass) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			names = append(names, line)
		}
	}
	return names
}

// surplus is the tests that pass though nobody requires it.
func surplus(results []gosdk.Result) []string {
	var names []string
	for _, r := range results {
		if r.Status == gosdk.Pass && !slices.Contains(required(), r.Test) {
			names = append(names, r.Test)
		}
	}
	return names
}

// clip keeps the first 4 KiB of a test's output: the first failure tells most.
func clip(s string) string {
	const most = 4 << 10
	if len(s) <= most {
		return s
	}
	return s[:most] + "\n[...]\n"
}

// tabulate writes the table of all tests if both versions ran and -update asks.
func tabulate(t *testing.T, results *sync.Map) {
	v1, ok1 := results.Load("v1")
	v4, ok4 := results.Load("v4")
	if !*update || !ok1 || !ok4 {
		return
	}
	version, _, err := gosdk.Version(context.WithoutCancel(t.Context())) // t's context ends before its clean-ups
	if err != nil {
		t.Error(err)
		return
	}
	if err := document.Update("../docs/compatibility.md", "sdk-go-v2", table(version, v1.([]gosdk.Result), v4.([]gosdk.Result))); err != nil {
		t.Error(err)
	}
}

// table is the Markdown of two runs over the same tests.
func table(version string, v1, v4 []gosdk.Result) []byte {
	count := func(results []gosdk.Result) (n int) {
		for _, r := range results {
			if r.Status == gosdk.Pass {
				n++
			}
		}
		return n
	}
	mark := func(r gosdk.Result) string {
		if r.Status == gosdk.Pass {
			return "pass"
		}
		return "–"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "`%s` %s: %d of %d tests pass with signature version 1, %d with version 4.\n\n", gosdk.Module, version, count(v1), len(v1), count(v4))
	b.WriteString("| test | V1 | V4 |\n|---|---|---|\n")
	for i, r := range v1 {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.Test, mark(r), mark(v4[i]))
	}
	return b.Bytes()
}
