package cluster_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A databaseProxy is a proxy between one process and PostgreSQL. It reads the
// statements of the process, and holds commits for a test.
type databaseProxy struct {
	socket string
	l      net.Listener

	mu    sync.Mutex
	holds []*commitHold
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

type commitHold struct {
	*hold
	taken  atomic.Bool
	match  func(statements string) bool
	answer bool // the answer is held, not the commit
}

func newDatabaseProxy(t testing.TB, socket string) *databaseProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &databaseProxy{socket: socket, l: l, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, h := range p.holds {
			h.release()
		}
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// address returns the address of a database through the proxy.
func (p *databaseProxy) address(t testing.TB, direct string) string {
	return byWayOf(t, direct, p.l.Addr().String())
}

// byWayOf returns the address of a database at another host and port.
func byWayOf(t testing.TB, direct, hostPort string) string {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	return "postgres://postgres@" + hostPort + u.Path + "?sslmode=disable"
}

// holdCommit holds the commit of the first transaction that matches before the server
// sees it. match is called with the statements of a transaction and their
// arguments.
func (p *databaseProxy) holdCommit(t testing.TB, match func(statements string) bool) *hold {
	return p.hold(t, match, false)
}

// holdCommitted holds the server's answer to such a commit.
func (p *databaseProxy) holdCommitted(t testing.TB, match func(statements string) bool) *hold {
	return p.hold(t, match, true)
}

func (p *databaseProxy) hold(t testing.TB, match func(string) bool, answer bool) *hold {
	h := newHold(t)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, &commitHold{hold: h, match: match, answer: answer})
	return h
}

// find returns the hold for a transaction, nil if there is none.
func (p *databaseProxy) find(statements string) *commitHold {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.holds {
		if h.match(statements) && h.taken.CompareAndSwap(false, true) {
			return h
		}
	}
	return nil
}

func (p *databaseProxy) accept() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return // closed by the end of the test
		}
		server, err := net.Dial("unix", p.socket)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		s := &databaseSession{proxy: p, client: client, server: server, prepared: map[string]string{}}
		p.wg.Go(s.forward)
		p.wg.Go(s.back)
	}
}

// A databaseSession is a connection through the proxy.
type databaseSession struct {
	proxy          *databaseProxy
	client, server net.Conn
	prepared       map[string]string // statements by name
	transaction    strings.Builder   // what it has asked for
	answer         atomic.Pointer[commitHold]
}

func (s *databaseSession) end() {
	s.proxy.mu.Lock()
	defer s.proxy.mu.Unlock()
	for _, c := range []net.Conn{s.client, s.server} {
		_ = c.Close()
		delete(s.proxy.conns, c)
	}
}

// forward passes on the messages of the client: each is a letter, which the first one
// lacks, a length and a content.
func (s *databaseSession) forward() {
	defer s.end()
	from := bufio.NewReaderSize(s.client, 64<<10)
	for first := true; ; first = false {
		skip := 1
		if first {
			skip = 0
		}
		head, err := from.Peek(skip + 4)
		if err != nil {
			return
		}
		message := make([]byte, skip+int(binary.BigEndian.Uint32(head[skip:])))
		if _, err := io.ReadFull(from, message); err != nil {
			return
		}
		var h *commitHold
		if !first {
			h = s.see(message[0], message[5:])
		}
		switch {
		case h != nil && h.answer:
			s.answer.Store(h)
		case h != nil:
			h.wait()
		}
		_, err = s.server.Write(message)
		if h != nil && !h.answer {
			h.pass()
		}
		if err != nil {
			return
		}
	}
}

// see looks at a message and, if it is a commit, returns what to do with it.
func (s *databaseSession) see(kind byte, content []byte) *commitHold {
	text := func(n int) string { return string(bytes.SplitN(content, []byte{0}, n+2)[n]) }
	switch kind {
	case 'P': // a statement is prepared: name, text
		s.prepared[text(0)] = text(1)
	case 'B': // and bound: portal, name, arguments
		s.transaction.WriteString(s.prepared[text(1)] + "\n")
		s.transaction.Write(content)
	case 'Q':
		switch query := strings.ToLower(text(0)); {
		case strings.HasPrefix(query, "begin"):
			s.transaction.Reset()
		case query == "commit":
			return s.proxy.find(s.transaction.String())
		default:
			s.transaction.WriteString(text(0) + "\n")
		}
	}
	return nil
}

// back forwards the answers of the server.
func (s *databaseSession) back() {
	defer s.end()
	buf := make([]byte, 64<<10)
	for {
		n, err := s.server.Read(buf)
		h := s.answer.Swap(nil)
		if h != nil {
			h.wait()
		}
		if n > 0 {
			_, _ = s.client.Write(buf[:n]) // forward notices that a client has disconnected
		}
		if h != nil {
			h.pass()
		}
		if err != nil {
			return
		}
	}
}
