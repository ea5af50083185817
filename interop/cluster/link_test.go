package cluster_test

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// A link carries the connections of a process to a server, and can fail as networks do.
type link struct {
	l               net.Listener
	network, target string

	mu      sync.Mutex
	changed *sync.Cond
	state   linkState
	delay   time.Duration
	lossy   bool
	carried int // chunks, since it is lossy
	conns   map[net.Conn]bool
	wg      sync.WaitGroup
}

type linkState int

const (
	whole  linkState = iota
	cut              // connections end, and new ones are refused
	silent           // nothing arrives, and no connection ends
	deaf             // data of the process arrives, the answers do not
)

// newLink makes a link from an address of this host to a server, "unix" or "tcp".
func newLink(t testing.TB, host, network, target string) *link {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	k := &link{l: l, network: network, target: target, conns: map[net.Conn]bool{}}
	k.changed = sync.NewCond(&k.mu)
	k.wg.Go(k.accept)
	t.Cleanup(func() {
		_ = l.Close()
		k.set(cut)
		k.wg.Wait()
	})
	return k
}

func (k *link) addr() string { return k.l.Addr().String() }

// set changes the state of the link.
func (k *link) set(s linkState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state = s
	k.changed.Broadcast()
	if s == cut {
		for c := range k.conns {
			_ = c.Close()
		}
	}
}

// slow delays data in both directions.
func (k *link) slow(delay time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delay = delay
}

// lossEach is how many chunks a lossy link carries for each that it loses. An attempt
// at a task needs fewer, so that no task fails more often than a run allows.
const lossEach = 100

// localhost is the address of links that are not between namespaces.
const localhost = "127.0.0.1"

// lose makes the link drop every lossEach-th chunk, in either direction, and end its
// connection, because a stream with a gap is useless.
func (k *link) lose() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lossy = true
}

func (k *link) accept() {
	for {
		client, err := k.l.Accept()
		if err != nil {
			return // closed by the end of the test
		}
		server, err := net.Dial(k.network, k.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		k.mu.Lock()
		if k.state == cut {
			_, _ = client.Close(), server.Close()
		} else {
			k.conns[client], k.conns[server] = true, true
			k.wg.Go(func() { k.carry(client, server, false) })
			k.wg.Go(func() { k.carry(server, client, true) })
		}
		k.mu.Unlock()
	}
}

var errLoss = errors.New("lost")

// carry forwards the data of one end to the other. In a broken link it keeps sent
// data, as the sender's system would.
func (k *link) carry(from, to net.Conn, answers bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		k.mu.Lock()
		for k.state == silent || k.state == deaf && answers {
			k.changed.Wait()
		}
		delay := k.delay
		if k.lossy {
			if k.carried++; k.carried%lossEach == 0 {
				n, err = 0, errLoss
			}
		}
		k.mu.Unlock()
		time.Sleep(delay)
		if n > 0 {
			if _, e := to.Write(buf[:n]); e != nil {
				err = e
			}
		}
		if err == nil {
			continue
		}
		k.mu.Lock()
		_, _ = from.Close(), to.Close()
		delete(k.conns, from)
		delete(k.conns, to)
		k.mu.Unlock()
		return
	}
}
