package s3_test

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

// build compiles a program that a module in ../servers pins.
func build(t *testing.T, module, program string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), filepath.Base(program))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, program)
	cmd.Dir = filepath.Join("..", "servers", module)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s (the first time it needs a Go module proxy, and minutes): %v\n%s", program, err, out)
	}
	return binary
}

// installed returns the path of a program of a Debian package.
func installed(t *testing.T, program, deb string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing (Debian: apt-get install %s)", program, deb)
	}
	return path
}

// A process is a program that runs until the test ends.
type process struct {
	cmd    *exec.Cmd
	output lockedBuffer
	ended  chan struct{} // closed when it has ended
}

// run starts a program. Its output is shown if the test fails.
func run(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // how it ended stands in its output
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(cmd.Path), p.output.tail(3000))
		}
	})
	return p
}

func (p *process) stop() {
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

// await waits until ready returns nil.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
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

// listen starts a server that must be told its address. Between the choice of a
// port and its use another program may take it; then the server ends, and is
// started on another one.
func listen(t *testing.T, start func(addr string) *process, ready func(ctx context.Context, addr string) error) string {
	t.Helper()
	for range 5 {
		addr := freeAddress(t)
		p := start(addr)
		err := p.await(t.Context(), func(ctx context.Context) error { return ready(ctx, addr) })
		if err == nil {
			return addr
		}
		p.stop()
		t.Logf("not ready: %v", err)
		if out := p.output.tail(3000); !errors.Is(err, errEnded) || !strings.Contains(out, "in use") {
			t.Fatalf("%s: %v\n%s", filepath.Base(p.cmd.Path), err, out)
		}
	}
	t.Fatal("five ports in a row were taken by others")
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// dials reports whether something listens.
func dials(ctx context.Context, addr string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	return c.Close()
}
