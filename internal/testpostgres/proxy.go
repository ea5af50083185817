package testpostgres

import (
	"bytes"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A Proxy forwards connections to a server, and loses messages and connections that a test
// selects.
type Proxy struct {
	target string // the server's socket
	l      net.Listener

	mu      sync.Mutex
	conns   map[net.Conn]bool
	cut     bool
	refused int
	lose    int // commits whose answers will be lost
	drop    int // commits that will be lost
	breakAt []byte
	wg      sync.WaitGroup
}

// NewProxy starts a proxy to the server that ends with the test.
func (s *Server) NewProxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: s.Socket(), l: l, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Address returns the address of a database through the proxy.
func (p *Proxy) Address(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return "postgres://postgres@" + p.l.Addr().String() + u.Path + "?sslmode=disable"
}

// Cut ends all connections and refuses new ones until Mend.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close()
	}
}

// Mend lets connections through again.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// Refused returns how many connections were refused so far.
func (p *Proxy) Refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// LoseAnswers makes the proxy lose the answers to the next n commits. The server executes them.
func (p *Proxy) LoseAnswers(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = n
}

// DropCommits makes the proxy end the connection instead of forwarding the next n commits.
func (p *Proxy) DropCommits(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop = n
}

// BreakAt makes the proxy end the connection on which the next message with text is sent,
// instead of forwarding it.
func (p *Proxy) BreakAt(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breakAt = []byte(text)
}

// Broken reports whether the connection of BreakAt was ended.
func (p *Proxy) Broken() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.breakAt == nil
}

// breaks reports whether the proxy ends the connection instead of forwarding sent.
func (p *Proxy) breaks(sent []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.breakAt == nil || !bytes.Contains(sent, p.breakAt) {
		return false
	}
	p.breakAt = nil
	return true
}

// commit is the message with which a client commits a transaction.
var commit = []byte("commit\x00")

func (p *Proxy) accept() {
	for {
		client, err := p.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		server, err := net.Dial("unix", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		if p.cut {
			p.refused++
			_, _ = client.Close(), server.Close()
		} else {
			p.conns[client], p.conns[server] = true, true
			deaf := make(chan struct{})
			p.wg.Go(func() { p.relayToServer(client, server, deaf) })
			p.wg.Go(func() { p.relayToClient(server, client, deaf) })
		}
		p.mu.Unlock()
	}
}

// end closes both ends of a connection.
func (p *Proxy) end(a, b net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range []net.Conn{a, b} {
		_ = c.Close()
		delete(p.conns, c)
	}
}

// relayToServer forwards what the client sends. Before a commit whose answer will be lost, it
// closes deaf.
func (p *Proxy) relayToServer(client, server net.Conn, deaf chan struct{}) {
	defer p.end(client, server)
	buf := make([]byte, 64<<10)
	once := sync.OnceFunc(func() { close(deaf) })
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if p.breaks(buf[:n]) {
			return
		}
		if bytes.Contains(buf[:n], commit) {
			p.mu.Lock()
			drop := p.drop > 0
			lose := !drop && p.lose > 0
			if drop {
				p.drop--
			}
			if lose {
				p.lose--
				once()
			}
			p.mu.Unlock()
			if drop {
				return
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// relayToClient forwards what the server answers. Once deaf is closed, it ends the connection
// at the next answer.
func (p *Proxy) relayToClient(server, client net.Conn, deaf <-chan struct{}) {
	defer p.end(client, server)
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if n > 0 {
			select {
			case <-deaf:
				return
			default:
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
