// Package listen accepts and serves HTTP connections: TLS with a certificate that can be
// replaced, a bound on open connections, and deadlines for slow clients.
package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

// A Listener is an address that is open, and whether it speaks TLS.
type Listener struct {
	net.Listener
	TLS bool
}

// NewListener returns a listener whose connections count among conns. It speaks TLS if
// there is a certificate.
func NewListener(ln net.Listener, conns *Connections, cert *Certificate) Listener {
	ln = boundListener{ln, conns}
	if cert == nil {
		return Listener{ln, false}
	}
	return Listener{tls.NewListener(ln, &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}), true}
}

// URL returns the URL of the listener for clients on this machine.
func (l *Listener) URL() string {
	scheme := "http"
	if l.TLS {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return scheme + "://" + l.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// A Certificate is read from files that may be replaced while the server runs.
type Certificate struct {
	chain, key string // paths
	log        *slog.Logger
	pair       atomic.Pointer[tls.Certificate]
	warned     atomic.Int64 // when the log last said that it is not valid, in Unix nanoseconds
}

// NewCertificate returns the certificate in the files at two paths, which Load reads. It logs once
// an hour if connections begin while the certificate is not valid.
func NewCertificate(chain, key string, log *slog.Logger) *Certificate {
	return &Certificate{chain: chain, key: key, log: log}
}

// warnEvery is the interval of warnings about a certificate that is not valid.
const warnEvery = time.Hour

// Load reads the files. After an error the certificate stays as it was. One that has expired is
// used, because some clients do not look at its time; the log warns.
func (c *Certificate) Load() error {
	pair, err := tls.LoadX509KeyPair(c.chain, c.key)
	if err != nil {
		return fmt.Errorf("load %s with the key %s: %w", c.chain, c.key, err)
	}
	c.pair.Store(&pair)
	c.warned.Store(0)
	c.warn(&pair, time.Now())
	return nil
}

// Validity returns from when and until when the certificate in use is valid. Load must have
// succeeded before.
func (c *Certificate) Validity() (from, until time.Time) {
	leaf := c.pair.Load().Leaf
	return leaf.NotBefore, leaf.NotAfter
}

// warn logs that the certificate is not valid at a time, unless it did recently.
func (c *Certificate) warn(pair *tls.Certificate, now time.Time) {
	leaf := pair.Leaf
	if leaf == nil || !now.Before(leaf.NotBefore) && !now.After(leaf.NotAfter) {
		return
	}
	last := c.warned.Load()
	if now.UnixNano()-last < int64(warnEvery) || !c.warned.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	c.log.Warn("the TLS certificate is not valid now, and clients refuse it: replace the file and send SIGHUP",
		"file", c.chain, "not_before", leaf.NotBefore, "not_after", leaf.NotAfter)
}

func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair := c.pair.Load(); pair != nil {
		c.warn(pair, time.Now())
		return pair, nil
	}
	return nil, errors.New("no certificate has been loaded")
}
