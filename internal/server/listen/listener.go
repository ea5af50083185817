// Package listen accepts and serves HTTP connections: TLS with a certificate that can be
// replaced, a bound on open connections, and deadlines for slow clients.
package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
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
	pair       atomic.Pointer[tls.Certificate]
}

// NewCertificate returns the certificate in the files at two paths, which load reads.
func NewCertificate(chain, key string) *Certificate { return &Certificate{chain: chain, key: key} }

// Load reads the files. After an error the certificate stays as it was.
func (c *Certificate) Load() error {
	pair, err := tls.LoadX509KeyPair(c.chain, c.key)
	if err != nil {
		return fmt.Errorf("load %s with the key %s: %w", c.chain, c.key, err)
	}
	c.pair.Store(&pair)
	return nil
}

func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair := c.pair.Load(); pair != nil {
		return pair, nil
	}
	return nil, errors.New("no certificate has been loaded")
}
