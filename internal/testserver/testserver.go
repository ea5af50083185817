// Package testserver runs the real stocktake binary as a process of its own,
// for the tests and benchmarks of the other modules of this repository. They test
// and measure the same server that users get.
package testserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The credentials, region and account of every server that this package starts.
const (
	AccessKeyID     = "interop-key"
	AccessKeySecret = "interop-secret"
	Region          = "cn-hangzhou"
	AccountID       = "1000000000000000"

	// MasterKey is that of servers with a database.
	MasterKey = "c3RvY2t0YWtlIHRlc3RzOiBhIG1hc3RlciBrZXkuLi4="
)

// Timeout bounds how long a server takes from its start until it is ready, and from the signal
// to stop until its end.
const Timeout = 20 * time.Second

// Build compiles stocktake from the module's sources into dir and returns the
// path of the binary. flags go to go build.
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	root, err := output(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/stocktake/stocktake")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "stocktake")
	args := append([]string{"build", "-o", path}, flags...)
	_, err = output(ctx, root, "go", append(args, "./cmd/stocktake")...)
	return path, err
}

// output runs a command in dir and returns its output, trimmed. Its error contains the
// command's standard error.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0") // as the binary is shipped
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// Config says how to start a server.
type Config struct {
	Binary  string   // from [Build]
	Data    string   // data folder
	Listen  string   // host:port; empty: a free port of 127.0.0.1
	Console string   // host:port of the console; empty: none
	Args    []string // more flags of stocktake serve
	Env     []string // more environment, key=value
	Output  io.Writer

	// Under is a program with arguments that runs the server. The binary and its arguments
	// follow. The program must replace itself by the server, as exec in a shell does.
	Under []string

	// Unready makes Start return as soon as the server answers, even if the server is not
	// ready, for instance on a full disk.
	Unready bool
}

// A Server is a running stocktake serve.
type Server struct {
	Addr string // host:port of the plain listener

	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed when the process has ended, err set
	err  error
}

// Start runs a server and returns when it is ready for requests. The caller
// ends it with [Server.Stop] or [Server.Kill].
func Start(ctx context.Context, cfg Config) (*Server, error) {
	addr := cfg.Listen
	if addr == "" {
		var err error
		if addr, err = freeAddr(); err != nil {
			return nil, err
		}
	}
	args := append([]string{
		"serve", "--listen", addr, "--data", cfg.Data, "--region", Region, "--account-id", AccountID, "--console-listen", cmp.Or(cfg.Console, "off"),
	}, cfg.Args...)
	command := append(append(slices.Clone(cfg.Under), cfg.Binary), args...)
	s := &Server{Addr: addr, cmd: exec.Command(command[0], command[1:]...), log: new(tail), done: make(chan struct{})}
	s.cmd.Env = append(withoutSettings(os.Environ()), "OSS_ACCESS_KEY_ID="+AccessKeyID, "OSS_ACCESS_KEY_SECRET="+AccessKeySecret)
	isDatabase := func(setting string) bool {
		return strings.HasPrefix(setting, "--database") || strings.HasPrefix(setting, "STOCKTAKE_DATABASE=")
	}
	if slices.ContainsFunc(append(args, cfg.Env...), isDatabase) {
		s.cmd.Env = append(s.cmd.Env, "STOCKTAKE_MASTER_KEY="+MasterKey)
	}
	s.cmd.Env = append(s.cmd.Env, cfg.Env...)
	out := io.MultiWriter(s.log, cmp.Or[io.Writer](cfg.Output, io.Discard))
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.ready(ctx, cfg.Unready); err != nil {
		s.Kill()
		return nil, fmt.Errorf("stocktake %s: %w\n%s", strings.Join(args, " "), err, s.log)
	}
	return s, nil
}

// withoutSettings returns env without the variables that would change settings of the server.
// Variables of the test have the same prefix.
func withoutSettings(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "STOCKTAKE_") })
}

// ready polls the server until it is ready. With unready, any answer is enough.
func (s *Server) ready(ctx context.Context, unready bool) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/-/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if unready || res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-s.done:
			return fmt.Errorf("ended before it was ready: %w", cmp.Or(s.err, errors.New("exit status 0")))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		}
	}
}

// URL returns the address of the plain listener, with scheme.
func (s *Server) URL() string { return "http://" + s.Addr }

// announced precedes the address of the console in the output of a server.
var announced = regexp.MustCompile(`(?m)^the console is at (http://\S+)$`)

// ConsoleURL returns the URL of the console of a server that was started with one. The server
// prints it before it is ready, but the output may arrive later.
func (s *Server) ConsoleURL(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if m := announced.FindStringSubmatch(s.Log()); m != nil {
			return m[1], nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the server does not say where its console is: %w\n%s", ctx.Err(), s.log)
		}
	}
}

// PID returns the id of the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log returns the end of the server's output, at most 64 KiB.
func (s *Server) Log() string { return s.log.String() }

// Stop tells the server to end, as a service manager would, and waits. It returns an error if
// the server exits with an error, or not within [Timeout].
func (s *Server) Stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails if it has already ended, in which case done is closed
	select {
	case <-s.done:
		if s.err != nil {
			return fmt.Errorf("stocktake serve: %w\n%s", s.err, s.log)
		}
		return nil
	case <-time.After(Timeout):
		s.Kill()
		return fmt.Errorf("stocktake serve did not end within %v of SIGTERM\n%s", Timeout, s.log)
	}
}

// Ended reports whether the process has ended, except by [Server.Kill] or another SIGKILL.
func (s *Server) Ended() bool {
	select {
	case <-s.done:
		status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
		return !ok || !status.Signaled()
	default:
		return false
	}
}

// Kill ends the server like a crash (SIGKILL) and waits for its end.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// freeAddr returns a loopback address with a port that is free now.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - tailSize; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
