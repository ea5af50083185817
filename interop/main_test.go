package interop_test

import (
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/document"
	"github.com/stocktake/stocktake/interop/internal/score"
	"github.com/stocktake/stocktake/interop/internal/stage"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/compatibility.md")

func TestMain(m *testing.M) { stage.Main(m) }

const (
	compatibility = "../docs/compatibility.md"

	endpoint = "oss-" + testserver.Region + ".aliyuncs.com"
	roleARN  = "acs:ram::" + testserver.AccountID + ":role/stocktake"
)

// The results of preparations before a test enters the stage are passed to it in its
// environment.
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

// serve starts a server on the stage at the ports of OSS, 80 and 443, with a certificate. It
// ends with the test.
func serve(t *testing.T, args ...string) *testserver.Server {
	t.Helper()
	return serveAt(t, net.JoinHostPort(stage.OSSAddr, "80"), args...)
}

// serveAt is serve with another address in place of that of port 80.
func serveAt(t *testing.T, listen string, args ...string) *testserver.Server {
	t.Helper()
	s, err := testserver.Start(t.Context(), testserver.Config{
		Binary: os.Getenv(envBinary),
		Data:   filepath.Join(t.TempDir(), "data"),
		Listen: listen,
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

// serveWorld answers for every other host as the web site of Alibaba Cloud does, with a
// redirection, which the SDK's test of callbacks expects.
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

// save stores the results of a test on the stage for the test outside.
func save(t *testing.T, results any) {
	t.Helper()
	text, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv(envResults), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// load reads what save has written.
func load(t *testing.T, path string, results any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, results)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// noPanic fails t if the server recovered from a panic while it served.
func noPanic(t *testing.T, server *testserver.Server) {
	t.Helper()
	if strings.Contains(server.Log(), "panic") {
		t.Errorf("the server panicked:\n%s", server.Log())
	}
}

// tabulate writes the table called name if -update asks for it and every column, a
// signature version, has results.
func tabulate(t *testing.T, name, title string, columns []string, results []score.Result, reasons map[string]string) {
	t.Helper()
	for _, c := range columns {
		if !slices.ContainsFunc(results, func(r score.Result) bool { return r.Column == c }) {
			return
		}
	}
	if !*update {
		return
	}
	if err := document.Update(compatibility, name, score.Table(title, columns, results, reasons)); err != nil {
		t.Error(err)
	}
}

// client returns the official SDK's client of the server on the stage.
func client() *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(testserver.AccessKeyID, testserver.AccessKeySecret)).
		WithRegion(testserver.Region).
		WithEndpoint("http://" + endpoint))
}
