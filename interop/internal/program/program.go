// Package program builds and runs the servers that tests need besides stocktake.
package program

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/internal/testprocess"
)

// Build compiles a program that the module in the folder module pins, into dir, and
// returns its path.
func Build(ctx context.Context, dir, module, name string) (string, error) {
	binary := filepath.Join(dir, filepath.Base(name))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, name)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s (the first time it needs a Go module proxy, and minutes): %w\n%s", name, err, out)
	}
	return binary, nil
}

// Installed returns the path of a program of a Debian package.
func Installed(t testing.TB, name, deb string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing (Debian: apt-get install %s)", name, deb)
	}
	return path
}

// A Process is a program that runs until the test ends.
type Process struct{ *testprocess.Process }

// Start starts a program. Its output is shown if the test fails.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p, err := testprocess.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s:\n%s", p.Name(), p.Output())
		}
	})
	return &Process{p}
}

// Listen starts a server that must be given its address, waits until it is ready, and
// returns the address; see [testprocess.Listen].
func Listen(t testing.TB, start func(addr string) *Process, ready func(ctx context.Context, addr string) error) string {
	t.Helper()
	_, addr, err := testprocess.Listen(t.Context(), func(addr string) (*testprocess.Process, error) { return start(addr).Process, nil }, ready)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
