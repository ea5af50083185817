package listen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A logText is a log that tests read.
type logText struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logText) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}

// served serves a handler on at most two open connections, until the test ends.
func served(t *testing.T, h http.Handler, log *slog.Logger) (conns *Connections, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns = NewConnections(2, log)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, []Listener{{boundListener{ln, conns}, false}}, conns, h, log) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, conns.Close()); err != nil {
			t.Error(err)
		}
	})
	return conns, ln.Addr().String()
}

// A caller is a connection of a client.
type caller struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func call(t *testing.T, addr string) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &caller{t, conn, bufio.NewReader(conn)}
}

// send sends the beginning of a request.
func (c *caller) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// get sends a request and returns the status of the answer; 0 if there was none.
func (c *caller) get(path string) int {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode
}

func TestConnectionsAreBounded(t *testing.T) {
	var log logText
	finish := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-finish
		}
	})
	s, addr := served(t, h, slog.New(slog.NewTextHandler(&log, nil)))

	// Idle connections make way for new ones, the oldest first.
	idle := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.idle.Len()
	}
	first, second := call(t, addr), call(t, addr)
	for i, c := range []*caller{first, second} {
		if c.get("/-/healthz") != 200 {
			t.Fatal("a connection below the limit is not served")
		}
		until(t, func() bool { return idle() == i+1 })
	}
	third := call(t, addr)
	if status := third.get("/"); status != 200 {
		t.Errorf("the third is answered %d, want 200", status)
	}
	if status := first.get("/-/healthz"); status != 0 {
		t.Errorf("the first is answered %d, want its end", status)
	}
	if status := second.get("/-/healthz"); status != 200 {
		t.Errorf("the second is answered %d, want 200", status)
	}
	until(t, func() bool { return idle() == 2 })

	// With requests on all of them, others may ask for health only.
	const slow = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
	second.send(slow)
	third.send(slow)
	until(t, func() bool { return idle() == 0 })
	if status := call(t, addr).get("/"); status != 503 {
		t.Errorf("a connection beyond the limit is answered %d, want 503", status)
	}
	if status := call(t, addr).get("/-/readyz"); status != 200 {
		t.Errorf("readyz of a full server is %d, want 200", status)
	}
	if n := log.count("too many connections"); n != 1 {
		t.Errorf("the log says so %d times, want once a minute", n)
	}
	close(finish)
	until(t, func() bool { return idle() == 2 })
	if status := call(t, addr).get("/"); status != 200 {
		t.Errorf("a connection afterwards is answered %d, want 200", status)
	}
}

// until waits for what another goroutine is about to do.
func until(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); !done(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it has not happened within 30 s")
		}
	}
}

// A fullListener has no file descriptors for the first connections.
type fullListener struct {
	net.Listener
	mu    sync.Mutex
	fails int
}

func (l *fullListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	fail := l.fails > 0
	l.fails--
	l.mu.Unlock()
	if fail {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestFileDescriptorsRunOut(t *testing.T) {
	var log logText
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	all := NewConnections(100, slog.New(slog.NewTextHandler(&log, nil)))
	defer all.Close()
	full := &fullListener{Listener: ln, fails: 1}
	l := boundListener{full, all}
	dial := func() {
		t.Helper()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	dial()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if b := boundOf(conn); b == nil || !b.reserved || len(all.spare) != 3 {
		t.Errorf("the connection is not one for health: %+v, %d spare descriptors", b, len(all.spare))
	}
	if n := log.count("no file descriptors are left"); n != 1 {
		t.Errorf("the log says so %d times, want 1", n)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if len(all.spare) != 4 || all.Count() != 0 {
		t.Errorf("%d spare descriptors, %d connections", len(all.spare), all.Count())
	}

	// Without a spare one the error is net/http's to wait for.
	for all.giveSpare() {
	}
	full.fails = 1
	if _, err := l.Accept(); err == nil {
		t.Error("a connection was accepted without a descriptor")
	}
	dial()
	if conn, err = l.Accept(); err != nil || boundOf(conn).reserved {
		t.Errorf("a connection afterwards: %v", err)
	}
	if n := log.count("no file descriptors are left"); n != 1 {
		t.Errorf("the log says so %d times within a minute, want 1", n)
	}
	if _, ok := conn.(io.ReaderFrom); !ok {
		t.Error("files would be copied through the process")
	}
	_ = conn.SetDeadline(time.Time{})
}
