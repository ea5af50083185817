// Package suite compiles and runs the test suites of foreign programs as they lie
// in the module cache: of the modules that the go.mod of a folder pins.
package suite

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Compile builds the test binary of a package at path, in the module of dir. It
// may download modules.
func Compile(ctx context.Context, dir, path, pkg string, flags ...string) error {
	args := append([]string{"test", "-c", "-o", path}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the tests of %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// A Module is a module of the module cache.
type Module struct {
	Version string
	Dir     string // of its sources
}

// Find returns the module that the go.mod of dir pins.
func Find(ctx context.Context, dir, module string) (Module, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", module)
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		return Module{}, fmt.Errorf("find %s: %w\n%s", module, err, stderr.Bytes())
	}
	version, sources, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return Module{version, sources}, nil
}

// A Binary is a test binary with its environment.
type Binary struct {
	Path  string
	Dir   string        // working folder, for the files of tests
	Env   []string      // in addition to that of this process, without its proxies
	Limit time.Duration // for one run
}

// Run runs the binary and returns its output. Its exit code is not an error: the
// output says which tests failed. Run returns an error if the binary did not start or
// did not end in time.
func (b *Binary) Run(ctx context.Context, args ...string) (output string, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.Path, args...)
	cmd.Dir = b.Dir
	cmd.Env = append(WithoutProxies(os.Environ()), b.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if _, ok := err.(*exec.ExitError); ok && ctx.Err() == nil {
		err = nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("not ended after %v: %w", b.Limit, ctx.Err())
	}
	return out.String(), err
}

// WithoutProxies drops proxy settings: on a stage no proxy can be reached.
func WithoutProxies(env []string) []string {
	var kept []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			kept = append(kept, e)
		}
	}
	return kept
}
