package systemtest

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
)

// patience is the timeout for a stalled body in these tests.
const patience = 150 * time.Millisecond

// A port is a server that is reached over TCP, with the limits that cmd/stocktake sets.
type port struct {
	*house
	t    *testing.T
	addr string
}

func newPort(t *testing.T) *port {
	h := newHouse(t, houseOptions{bodyTimeout: patience})
	srv := httptest.NewUnstartedServer(h.handler)
	srv.Config.ReadHeaderTimeout = 2 * time.Second
	srv.Config.MaxHeaderBytes = 64 << 10
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(func() {
		srv.Close()
		h.close()
	})
	return &port{h, t, srv.Listener.Addr().String()}
}

// signed returns a request as sent, up to the end of its headers. more are unsigned header
// lines, such as those that frame the body.
func (p *port) signed(q *request, more ...string) string {
	p.t.Helper()
	q.who, q.scheme = owner, signature.V4
	r, err := q.build("http://"+p.addr, time.Now())
	check(p.t, err)
	return p.head(r, more...)
}

func (p *port) head(r *http.Request, more ...string) string {
	p.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.URL.RequestURI(), r.Host)
	check(p.t, r.Header.Write(&b))
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// What a client does after it has sent its input.
type ending uint8

const (
	waits  ending = iota // waits for the answer
	closes               // closes its side of the connection
	leaves               // altogether
)

// talk sends input and returns the answer, or an answer without status if there is none.
func (p *port) talk(said string, end ending) answer {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	check(p.t, err)
	defer conn.Close()
	check(p.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	// The server may close the connection while the client sends. What it has sent before
	// counts.
	_, _ = io.WriteString(conn, said)
	switch end {
	case closes:
		_ = conn.(*net.TCPConn).CloseWrite()
	case leaves:
		return answer{}
	}
	method, _, _ := strings.Cut(said, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return answer{}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}
	}
	if res.Header.Get("X-Oss-Request-Id") == "" { // not from this server: net/http could not read the request
		return answer{status: res.StatusCode, header: res.Header, body: body}
	}
	a, err := newAnswer(method, res.StatusCode, res.Header, body)
	check(p.t, err)
	return a
}

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-deadline:
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
