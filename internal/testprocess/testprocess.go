// Package testprocess runs servers of other projects that tests and benches need.
package testprocess

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
	"time"
)

// startTimeout is how long a program may take until it is ready.
const startTimeout = 3 * time.Minute

// A Process is a running program.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended

	mu     sync.Mutex
	output bytes.Buffer
}

// Start starts a program, whose output it collects. The caller ends it with Kill.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = (*output)(p), (*output)(p)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // the output contains the reason
	}()
	return p, nil
}

// output collects the output of a process.
type output Process

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.output.Write(b)
}

// Name returns the name of the program.
func (p *Process) Name() string { return filepath.Base(p.cmd.Path) }

// PID returns the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns the last 3,000 bytes of the program's output.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.output.Bytes()[max(0, p.output.Len()-3000):])
}

// Kill ends the program as a crash would, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}

// errEnded means that a program has ended instead of becoming ready.
var errEnded = errors.New("it has ended")

// Await calls ready until it returns nil, for at most three minutes. It returns errEnded if the
// program has ended, else the last error of ready.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
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

// Listen starts a server that needs its address as an argument, and waits until it is ready.
// Another program may take the port between its choice and its use. Then the server ends, and
// Listen starts it on another port. It kills a server that does not become ready.
func Listen(ctx context.Context, start func(addr string) (*Process, error), ready func(ctx context.Context, addr string) error) (p *Process, addr string, err error) {
	for range 5 {
		if addr, err = freeAddress(); err != nil {
			return nil, "", err
		}
		if p, err = start(addr); err != nil {
			return nil, "", err
		}
		if err = p.Await(ctx, func(ctx context.Context) error { return ready(ctx, addr) }); err == nil {
			return p, addr, nil
		}
		p.Kill()
		if !errors.Is(err, errEnded) || !strings.Contains(p.Output(), "in use") {
			return nil, "", fmt.Errorf("%s: %w\n%s", p.Name(), err, p.Output())
		}
	}
	return nil, "", errors.New("five ports in a row were taken by others")
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// CheckListening returns nil if a server accepts connections at an address.
func CheckListening(ctx context.Context, addr string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	return c.Close()
}
