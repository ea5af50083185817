package interop_test

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/score"
	"github.com/stocktake/stocktake/interop/internal/stage"
	"github.com/stocktake/stocktake/interop/internal/suite"
)

// A driver is the part of another program that keeps its data in OSS, with that program's tests
// of it.
type driver struct {
	name, module string
	signature    string // version
	dir          string // folder of the go.mod that pins the module
	pkg          string // of the tests
	flags        []string
	args         []string // of the test binary
	env          []string
	read         func(output, column string) []score.Result
	list         string // of the tests that must pass
}

const driverBucket = "drivers"

var (
	//go:embed testdata/docker-distribution.txt
	listDistribution string
	//go:embed testdata/thanos-objstore.txt
	listObjstore string
	//go:embed testdata/litestream.txt
	listLitestream string
)

var drivers = []driver{
	{
		name: "docker-distribution", module: "github.com/docker/distribution", signature: "V1", list: listDistribution,
		dir: "suites", pkg: "github.com/docker/distribution/registry/storage/driver/oss", flags: []string{"-tags", "include_oss"},
		args: []string{"-test.run=^Test$", "-check.vv"}, read: suite.Gocheck,
		env: []string{
			"ALIYUN_ACCESS_KEY_ID=" + testserver.AccessKeyID, "ALIYUN_ACCESS_KEY_SECRET=" + testserver.AccessKeySecret,
			"OSS_BUCKET=" + driverBucket, "OSS_REGION=oss-" + testserver.Region, "OSS_ENCRYPT=true", "OSS_SECURE=false",
		},
	},
	{
		name: "thanos-objstore", module: "github.com/thanos-io/objstore", signature: "V1", list: listObjstore,
		dir: "suites", pkg: ".", args: []string{"-test.v"}, read: suite.Testing,
		env: []string{
			"OSS_ENDPOINT=" + endpoint, "OSS_BUCKET=" + driverBucket,
			"OSS_ACCESS_KEY_ID=" + testserver.AccessKeyID, "OSS_ACCESS_KEY_SECRET=" + testserver.AccessKeySecret,
		},
	},
	{
		name: "litestream", module: "github.com/benbjohnson/litestream", signature: "V4", list: listLitestream,
		dir: "suites/litestream", pkg: "github.com/benbjohnson/litestream",
		args: []string{"-test.v", "-test.run=^TestReplicaClient_", "-integration", "-replica-clients=oss"}, read: ofClient("/oss"),
		env: []string{
			"LITESTREAM_OSS_ACCESS_KEY_ID=" + testserver.AccessKeyID, "LITESTREAM_OSS_ACCESS_KEY_SECRET=" + testserver.AccessKeySecret,
			"LITESTREAM_OSS_REGION=" + testserver.Region, "LITESTREAM_OSS_BUCKET=" + driverBucket, "LITESTREAM_OSS_PATH=replicas", "LITESTREAM_PITR_STRESS_TEST=1",
		},
	},
}

// ofClient reads results as suite.Testing does, and keeps only the subtests with the suffix:
// the others test clients of other stores.
func ofClient(suffix string) func(output, column string) []score.Result {
	return func(output, column string) (kept []score.Result) {
		for _, r := range suite.Testing(output, column) {
			if filepath.Base(r.Test) == suffix[1:] || filepath.Base(filepath.Dir(r.Test)) == suffix[1:] {
				kept = append(kept, r)
			}
		}
		return kept
	}
}

// TestDrivers runs the unchanged tests that other programs have for their OSS drivers against a
// server that has the host names of OSS.
func TestDrivers(t *testing.T) {
	var binary string
	if !stage.Inside() {
		binary = build(t)
	}
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			if stage.Inside() {
				runDriver(t, &d)
				return
			}
			tests := filepath.Join(t.TempDir(), d.name+".test")
			if err := suite.Compile(t.Context(), d.dir, tests, d.pkg, d.flags...); err != nil {
				t.Fatal(err)
			}
			m, err := suite.Find(t.Context(), d.dir, d.module)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "results.json")
			stage.Rerun(t, envBinary+"="+binary, envSuite+"="+tests, envResults+"="+path)
			var results []score.Result
			load(t, path, &results)
			list := score.ParseList(d.list)
			score.Judge(t, list, results)
			tabulate(t, d.name, fmt.Sprintf("`%s` %s", d.module, m.Version), []string{d.signature}, results, list.Reasons)
		})
	}
}

// runDriver runs the tests of a driver on the stage and saves their results in a file.
func runDriver(t *testing.T, d *driver) {
	server := serve(t)
	if _, err := client().PutBucket(t.Context(), &oss.PutBucketRequest{Bucket: oss.Ptr(driverBucket)}); err != nil {
		t.Fatal(err)
	}
	b := suite.Binary{
		Path: os.Getenv(envSuite), Dir: t.TempDir(), Limit: 10 * time.Minute,
		Env: append([]string{"SSL_CERT_FILE=" + stage.CertFile()}, d.env...),
	}
	output, err := b.Run(t.Context(), d.args...)
	results := d.read(output, d.signature)
	if err != nil || len(results) == 0 {
		t.Errorf("%v\n%s", err, output)
	}
	save(t, results)
	noPanic(t, server)
}
