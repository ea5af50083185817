package interop_test

import (
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/score"
	"github.com/stocktake/stocktake/interop/internal/stage"
	"github.com/stocktake/stocktake/interop/internal/suite"
)

//go:embed testdata/sdk-go-v1.txt
var listGoSDK1 string

const gosdk1 = "github.com/aliyun/aliyun-oss-go-sdk"

// TestGoSDK1 runs the suites of Alibaba's first Go SDK that talk to OSS, each as a
// separate process, against a server that has the host names of OSS.
func TestGoSDK1(t *testing.T) {
	var binary, tests, sources string
	list := score.ParseList(listGoSDK1)
	var mu sync.Mutex
	results := map[string][]score.Result{} // by group
	groups := []struct {
		name   string
		suites []string
	}{
		// This suite removes the buckets of all others.
		{"client", []string{"OssClientSuite"}},
		{"objects", []string{
			"OssBucketSuite", "OssBucketMultipartSuite", "OssCopySuite", "OssCrcSuite", "OssDownloadSuite", "OssErrorSuite",
			"OssBucketLiveChannelSuite", "OssProgressSuite", "OssSelectCsvSuite", "OssSelectJsonSuite", "OssUploadSuite",
		}},
	}
	if !stage.Inside() {
		binary, tests = build(t), filepath.Join(t.TempDir(), "sdk1.test")
		if err := suite.Compile(t.Context(), "suites", tests, gosdk1+"/oss"); err != nil {
			t.Fatal(err)
		}
		m, err := suite.Find(t.Context(), "suites", gosdk1)
		if err != nil {
			t.Fatal(err)
		}
		sources = m.Dir
		t.Cleanup(func() {
			var all []score.Result
			for _, g := range groups {
				if len(results[g.name]) == 0 {
					return // not all were run
				}
				all = append(all, results[g.name]...)
			}
			score.Judge(t, list, all)
			tabulate(t, "sdk-go-v1", fmt.Sprintf("`%s` %s", gosdk1, m.Version), []string{"V1"}, all, list.Reasons)
		})
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel() // most of the suites' time is sleep
			if stage.Inside() {
				runGoSDK1(t, g.suites)
				return
			}
			path := filepath.Join(t.TempDir(), "results.json")
			stage.Rerun(t, envBinary+"="+binary, envSuite+"="+tests, envSources+"="+sources, envResults+"="+path)
			var got []score.Result
			load(t, path, &got)
			mu.Lock()
			defer mu.Unlock()
			results[g.name] = got
		})
	}
}

// runGoSDK1 runs suites on the stage and saves their results in a file.
func runGoSDK1(t *testing.T, suites []string) {
	const behind = stage.OSSAddr + ":8080"
	server := serveAt(t, behind, "--allow-callbacks", "--callback-networks", stage.WorldAddr+"/32")
	serveWorld(t)
	openBuckets(t, behind)
	found := make([][]score.Result, len(suites))
	var group sync.WaitGroup
	for i, name := range suites {
		// Tests read ../sample and remove files in that folder.
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(os.Getenv(envSources))); err != nil {
			t.Fatal(err)
		}
		b := suite.Binary{
			Path: os.Getenv(envSuite), Dir: filepath.Join(dir, "oss"), Limit: 10 * time.Minute,
			Env: []string{
				"OSS_TEST_ENDPOINT=http://" + endpoint, "OSS_ACCESS_KEY_ID=" + testserver.AccessKeyID, "OSS_TEST_REGION=" + testserver.Region, "OSS_TEST_ACCOUNT_ID=" + testserver.AccountID,
				"OSS_TEST_ACCESS_KEY_ID=" + testserver.AccessKeyID, "OSS_TEST_ACCESS_KEY_SECRET=" + testserver.AccessKeySecret,
				"OSS_TEST_STS_ID=" + testserver.AccessKeyID, "OSS_TEST_STS_KEY=" + testserver.AccessKeySecret, "OSS_TEST_STS_ARN=" + roleARN,
				"SSL_CERT_FILE=" + stage.CertFile(),
			},
		}
		group.Go(func() {
			output, err := b.Run(t.Context(), "-test.run=^Test$", "-check.vv", "-check.f=^"+name+"$")
			found[i] = suite.Gocheck(output, "V1")
			if err != nil || len(found[i]) == 0 {
				t.Errorf("%s: %v\n%s", name, err, output)
			}
		})
	}
	group.Wait()
	save(t, slices.Concat(found...))
	noPanic(t, server)
}

// openBuckets is a proxy on port 80 before the server that removes the block of
// public access from each created bucket. OSS has set this block since; the suites
// are older, and many of their tests begin with a public ACL.
func openBuckets(t *testing.T, server string) {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server}) // keeps the Host header
	proxy.ModifyResponse = func(r *http.Response) error {
		bucket, ok := strings.CutSuffix(r.Request.Host, "."+endpoint)
		if q := r.Request; !ok || q.Method != http.MethodPut || q.URL.Path != "/" || q.URL.RawQuery != "" || r.StatusCode != http.StatusOK {
			return nil
		}
		_, err := client().PutBucketPublicAccessBlock(r.Request.Context(), &oss.PutBucketPublicAccessBlockRequest{
			Bucket: &bucket, PublicAccessBlockConfiguration: &oss.PublicAccessBlockConfiguration{BlockPublicAccess: oss.Ptr(false)},
		})
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort(stage.OSSAddr, "80"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: proxy}
	go func() { _ = srv.Serve(l) }() // ends with Close, below
	t.Cleanup(func() { _ = srv.Close() })
}
