package interop_test

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/score"
	"github.com/stocktake/stocktake/interop/internal/stage"
	"github.com/stocktake/stocktake/interop/internal/suite"
)

//go:embed testdata/sdk-go-v1.txt
var listGoSDK1 string

const gosdk1 = "github.com/aliyun/aliyun-oss-go-sdk"

// TestGoSDK1 runs the suites of Alibaba's first Go SDK that talk to OSS, each as a
// process of its own, against a server that has the host names of OSS.
func TestGoSDK1(t *testing.T) {
	var binary, tests, sources string
	list := score.ParseList(listGoSDK1)
	var mu sync.Mutex
	results := map[string][]score.Result{} // by group
	groups := []struct {
		name   string
		suites []string
	}{
		// This one removes the buckets of all others.
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

// runGoSDK1 runs suites on the stage and leaves their results in a file.
func runGoSDK1(t *testing.T, suites []string) {
	server := serve(t, "--allow-callbacks", "--callback-networks", stage.WorldAddr+"/32")
	serveWorld(t)
	found := make([][]score.Result, len(suites))
	var group sync.WaitGroup
	for i, name := range suites {
		// Tests read ../sample and remove files beside them.
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(os.Getenv(envSources))); err != nil {
			t.Fatal(err)
		}
		b := suite.Binary{
			Path: os.Getenv(envSuite), Dir: filepath.Join(dir, "oss"), Limit: 10 * time.Minute,
			Env: []string{
				"OSS_TEST_ENDPOINT=" + endpoint, "OSS_TEST_REGION=" + testserver.Region, "OSS_TEST_ACCOUNT_ID=" + testserver.AccountID,
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
