package interop_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/stage"
)

// TestAliOSS runs our scripts with npm's ali-oss against one server: under both
// signature versions, and over each way to reach a bucket that the client has.
func TestAliOSS(t *testing.T) {
	if !stage.Inside() {
		stage.Rerun(t, envBinary+"="+build(t), envSuite+"="+npmInstall(t, "ali-oss"))
		return
	}
	server := serve(t)
	for _, signature := range []string{"v1", "v4"} {
		for _, way := range []struct{ name, endpoint string }{
			{"region", ""},
			{"TLS", "https://" + endpoint},
			{"address", server.URL()}, // the client then sends the bucket in the Host header
		} {
			for _, script := range []string{"inventory", "objects"} {
				t.Run(fmt.Sprintf("%s/%s/%s", script, signature, way.name), func(t *testing.T) {
					node(t, script+".test.js", "OSS_SIGNATURE="+signature, "OSS_ENDPOINT="+way.endpoint)
				})
			}
		}
	}
	if strings.Contains(server.Log(), "panic") {
		t.Errorf("the server panicked:\n%s", server.Log())
	}
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

// node runs one script of node:test with the settings of client.js in env.
func node(t *testing.T, script string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--test-reporter=spec", script)
	cmd.Dir = os.Getenv(envSuite)
	cmd.Env = append(os.Environ(),
		"OSS_ACCESS_KEY_ID="+testserver.AccessKeyID,
		"OSS_ACCESS_KEY_SECRET="+testserver.AccessKeySecret,
		"OSS_ACCOUNT_ID="+testserver.AccountID,
		"OSS_REGION=oss-"+testserver.Region,
		"NODE_EXTRA_CA_CERTS="+stage.CertFile(),
	)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
}
