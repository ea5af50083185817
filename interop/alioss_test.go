package interop_test

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/score"
	"github.com/stocktake/stocktake/interop/internal/stage"
)

//go:embed testdata/ali-oss.txt
var listAliOSS string

// TestAliOSS runs our scripts with npm's ali-oss against one server: under both
// signature versions, and over each way to reach a bucket that the client has.
// The tests of testdata/ali-oss.txt must pass; the table of all of them, with
// -update, goes to docs/compatibility.md.
func TestAliOSS(t *testing.T) {
	if stage.Inside() {
		runAliOSS(t)
		return
	}
	path := filepath.Join(t.TempDir(), "results.json")
	stage.Rerun(t, envBinary+"="+build(t), envSuite+"="+npmInstall(t, "ali-oss"), envResults+"="+path)
	var results []score.Result
	load(t, path, &results)
	list := score.ParseList(listAliOSS)
	score.Judge(t, list, results)
	tabulate(t, "ali-oss", "`ali-oss` 6.23.0 by region name, over TLS and by IP address", []string{"V1", "V4"}, results, list.Reasons)
}

// runAliOSS runs the scripts on the stage and saves their results in a file.
func runAliOSS(t *testing.T) {
	server := serve(t)
	var results []score.Result
	for _, script := range []string{"inventory", "objects"} {
		for _, signature := range []string{"v1", "v4"} {
			for _, way := range []struct{ name, endpoint string }{
				{"region", ""},
				{"TLS", "https://" + endpoint},
				{"address", server.URL()}, // the client then sends the bucket in the Host header
			} {
				for _, r := range node(t, script+".test.js", "OSS_SIGNATURE="+signature, "OSS_ENDPOINT="+way.endpoint) {
					r.Column, r.How = strings.ToUpper(signature), "by "+way.name
					results = append(results, r)
				}
			}
		}
	}
	save(t, results)
	noPanic(t, server)
}

// npmInstall copies the folder of a Node.js client and installs exactly what
// its lock file names, without running any of its scripts.
func npmInstall(t *testing.T, folder string) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: install Node.js 18.15 or newer with npm (Debian: apt-get install nodejs npm)", tool)
		}
	}
	dir := filepath.Join(t.TempDir(), folder)
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

// node runs one script of node:test with the settings of client.js in env and
// returns the results of its tests.
func node(t *testing.T, script string, env ...string) []score.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--test-reporter=tap", script)
	cmd.Dir = os.Getenv(envSuite)
	cmd.Env = append(os.Environ(),
		"OSS_ACCESS_KEY_ID="+testserver.AccessKeyID,
		"OSS_ACCESS_KEY_SECRET="+testserver.AccessKeySecret,
		"OSS_ACCOUNT_ID="+testserver.AccountID,
		"OSS_REGION=oss-"+testserver.Region,
		"NODE_EXTRA_CA_CERTS="+stage.CertFile(),
	)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	results := score.TAP(string(out))
	if failed := slices.ContainsFunc(results, func(r score.Result) bool { return !r.Pass }); len(results) == 0 || err != nil && !failed {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
	return results
}
