// Package testpipe provides a listener of connections in memory whose deadlines use the virtual
// time of testing/synctest.
package testpipe

import "net"

// A Listener accepts the connections that Dial opens.
type Listener struct {
	conns chan net.Conn
	done  chan struct{} // closed by Close
}

// New returns a listener. The caller closes it once.
func New() *Listener { return &Listener{make(chan net.Conn), make(chan struct{})} }

// Dial returns the client's end of a new connection, once the server has accepted it.
func (l *Listener) Dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *Listener) Close() error { close(l.done); return nil }

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
