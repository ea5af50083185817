package interop_test

import (
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/stage"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/compatibility.md")

func TestMain(m *testing.M) { stage.Main(m) }

const (
	endpoint = "oss-" + testserver.Region + ".aliyuncs.com"
	roleARN  = "acs:ram::" + testserver.AccountID + ":role/stocktake"
)

// What a test made before it went on stage is in its environment there.
const (
	envBinary  = "STOCKTAKE_BINARY" // of stocktake
	envResults = "STOCKTAKE_RESULTS"
	envSuite   = "STOCKTAKE_SUITE" // the foreign client: a binary or a folder
	envSources = "STOCKTAKE_SUITE_SOURCES"
)

// build compiles stocktake for one test.
func build(t *testing.T) string {
	t.Helper()
	path, err := testserver.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts a server on the stage where OSS would be: ports 80 and 443, with
// a certificate. It ends with the test.
func serve(t *testing.T, args ...string) *testserver.Server {
	t.Helper()
	s, err := testserver.Start(t.Context(), testserver.Config{
		Binary: os.Getenv(envBinary),
		Data:   filepath.Join(t.TempDir(), "data"),
		Listen: net.JoinHostPort(stage.OSSAddr, "80"),
		Args: append([]string{
			"--listen-tls", net.JoinHostPort(stage.OSSAddr, "443"),
			"--tls-cert", stage.CertFile(), "--tls-key", stage.KeyFile(),
		}, args...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serveWorld answers for every other host as the web site of Alibaba Cloud
// does: with a redirection, which the SDK's test of callbacks expects.
func serveWorld(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(stage.WorldAddr, "80"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+"/", http.StatusMovedPermanently)
	})}
	go func() { _ = srv.Serve(l) }() // ends with Close, below
	t.Cleanup(func() { _ = srv.Close() })
}

// client is the official SDK's client of the server on the stage.
func client() *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(testserver.AccessKeyID, testserver.AccessKeySecret)).
		WithRegion(testserver.Region).
		WithEndpoint("http://" + endpoint))
}
