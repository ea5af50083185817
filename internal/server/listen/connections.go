package listen

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// reservedConnections is how many connections beyond the limit are accepted for
// /-/healthz, /-/readyz and /-/metrics: a server at its limit must not look dead.
const reservedConnections = 16

// repeatAfter is how often the log repeats that connections are exhausted.
const repeatAfter = time.Minute

// Connections bounds the open connections of all listeners. When the limit is
// reached, the connection that has been idle longest is closed for the new one. If
// none is idle, the new one may only ask for health and metrics. The zero value
// bounds nothing until max is set.
type Connections struct {
	max int // above 0
	log *slog.Logger

	mu    sync.Mutex
	open  int
	idle  *list.List // of *bound, longest first
	spare []*os.File // file descriptors to release when the process has no other
	said  time.Time
}

// NewConnections returns a bound of limit open connections. The caller calls Close.
func NewConnections(limit int, log *slog.Logger) *Connections {
	c := &Connections{max: limit, log: log, idle: list.New()}
	for range 4 {
		c.keepSpare()
	}
	return c
}

// keepSpare opens a file descriptor that can be released later. Without one the server works, but
// cannot accept connections when descriptors run out.
func (c *Connections) keepSpare() {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.spare = append(c.spare, f)
	c.mu.Unlock()
}

// giveSpare closes a spare file descriptor and reports whether there was one.
func (c *Connections) giveSpare() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spare) == 0 {
		return false
	}
	f := c.spare[len(c.spare)-1]
	c.spare = c.spare[:len(c.spare)-1]
	return f.Close() == nil
}

// Close closes the spare file descriptors.
func (c *Connections) Close() (err error) {
	for c.giveSpare() {
	}
	return nil
}

// warn logs a shortage, at most once a minute.
func (c *Connections) warn(msg string, args ...any) {
	c.mu.Lock()
	now := time.Now()
	due := now.Sub(c.said) >= repeatAfter
	if due {
		c.said = now
	}
	c.mu.Unlock()
	if due {
		c.log.Error(msg, args...)
	}
}

// A bound is one connection that counts.
type bound struct {
	all      *Connections
	conn     net.Conn
	reserved bool          // for health and metrics only
	spare    bool          // it has the descriptor of a spare
	place    *list.Element // in all.idle; nil: a request is being served
	once     sync.Once
}

// admit counts an accepted connection; nil means that the limit is exceeded.
func (c *Connections) admit(conn net.Conn, spare bool) *bound {
	b := &bound{all: c, conn: conn, spare: spare, reserved: spare}
	c.mu.Lock()
	c.open++
	over := c.open - c.max
	var oldest *bound
	if over > 0 && !b.reserved {
		if e := c.idle.Front(); e != nil {
			oldest = e.Value.(*bound)
			c.idle.Remove(e)
			oldest.place = nil
		} else {
			b.reserved = true
		}
	}
	refused := over > reservedConnections && oldest == nil
	if refused {
		c.open--
	}
	c.mu.Unlock()
	if over > 0 && oldest == nil {
		c.warn("too many connections: new ones are refused", "open", c.max, "advice", "raise --max-connections, or look for clients that keep connections")
	}
	if oldest != nil {
		_ = oldest.close() // the client sees the same as with an idle timeout
	}
	if refused {
		return nil
	}
	return b
}

func (b *bound) close() error {
	err := b.conn.Close()
	b.once.Do(func() {
		b.all.mu.Lock()
		b.all.open--
		if b.place != nil {
			b.all.idle.Remove(b.place)
			b.place = nil
		}
		b.all.mu.Unlock()
		if b.spare {
			b.all.keepSpare()
		}
	})
	return err
}

// state handles the connection states of net/http.
func (c *Connections) state(conn net.Conn, state http.ConnState) {
	b := boundOf(conn)
	if b == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.place != nil {
		c.idle.Remove(b.place)
		b.place = nil
	}
	if state == http.StateIdle {
		b.place = c.idle.PushBack(b)
	}
}

// Connections keep the methods of a *net.TCPConn, with which net/http sends files
// without copying them through the process.
type (
	boundTCP struct {
		*net.TCPConn
		*bound
	}
	boundConn struct {
		net.Conn
		*bound
	}
)

func (b boundTCP) Close() error  { return b.bound.close() }
func (b boundConn) Close() error { return b.bound.close() }

// boundOf returns the bound of a connection that net/http has; nil if it has none.
func boundOf(conn net.Conn) *bound {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	switch conn := conn.(type) {
	case boundTCP:
		return conn.bound
	case boundConn:
		return conn.bound
	}
	return nil
}

// A boundListener accepts connections that count.
type boundListener struct {
	net.Listener
	all *Connections
}

// Accept implements [net.Listener]. When the process has no file descriptors left, Accept releases
// a spare one, so that health checks still work.
func (l boundListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		spare := false
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.all.warn("no file descriptors are left: connections must wait", "err", err, "advice", "raise the limit of the process (LimitNOFILE, ulimit -n), or lower --max-connections")
			if spare = l.all.giveSpare(); spare {
				if conn, err = l.Listener.Accept(); err != nil {
					l.all.keepSpare()
				}
			}
		}
		if err != nil {
			return nil, err // net/http tries again after a moment if it may pass
		}
		b := l.all.admit(conn, spare)
		if b == nil {
			_ = conn.Close() // no descriptor is left for an answer
			continue
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			return boundTCP{tcp, b}, nil
		}
		return boundConn{conn, b}, nil
	}
}

type reservedKey struct{}

// context marks the requests of reserved connections.
func (c *Connections) context(ctx context.Context, conn net.Conn) context.Context {
	if b := boundOf(conn); b != nil && b.reserved {
		return context.WithValue(ctx, reservedKey{}, true)
	}
	return ctx
}

// guard answers 503 to requests of reserved connections, except those for health
// and metrics, and closes such a connection after its first request.
func (c *Connections) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(reservedKey{}) == nil {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		switch r.URL.Path {
		case "/-/healthz", "/-/readyz", "/-/metrics":
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+
			`<Error><Code>ServiceUnavailable</Code><Message>The server has as many connections as it can serve. Try again later.</Message></Error>`)
	})
}

// Count returns the number of open connections.
func (c *Connections) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}
