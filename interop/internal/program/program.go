// Package program builds and runs the servers that tests need besides stocktake.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
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
type Process struct {
	cmd    *exec.Cmd
	output lockedBuffer
	ended  chan struct{} // closed when it has ended
}

// Start starts a program. Its output is shown if the test fails.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // how it ended stands in its output
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(cmd.Path), p.output.tail(3000))
		}
	})
	return p
}

// Kill ends the program as a crash would, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}

// A lockedBuffer may be read while it is written to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.b.Bytes()[max(0, b.b.Len()-n):])
}

// errEnded says that a server has ended instead of becoming ready.
var errEnded = errors.New("it has ended")

// Await waits until ready returns nil. Its error says that the program has ended, or
// is ready's.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return errEnded
		case <-ctx.Done():
			return err
		}
	}
}

// Listen starts a server that must be given its address, waits until it is ready, and
// returns the address. Between the choice of a port and its use another program may
// take it; then the server ends, and is started on another port.
func Listen(t testing.TB, start func(addr string) *Process, ready func(ctx context.Context, addr string) error) string {
	t.Helper()
	for range 5 {
		addr := freeAddress(t)
		p := start(addr)
		err := p.Await(t.Context(), func(ctx context.Context) error { return ready(ctx, addr) })
		if err == nil {
			return addr
		}
		p.Kill()
		t.Logf("not ready: %v", err)
		if out := p.output.tail(3000); !errors.Is(err, errEnded) || !strings.Contains(out, "in use") {
			t.Fatalf("%s: %v\n%s", filepath.Base(p.cmd.Path), err, out)
		}
	}
	t.Fatal("five ports in a row were taken by others")
	return ""
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Dials returns nil if something listens.
func Dials(ctx context.Context, addr string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	return c.Close()
}
