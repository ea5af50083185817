package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
)

// A listener is an address that is open, and whether it speaks TLS.
type listener struct {
	net.Listener
	tls bool
}

// openListeners opens the addresses of the settings, all of them or none.
func (s *Server) openListeners() error {
	var cert *certificate
	if s.cfg.TLSCert != "" {
		cert = &certificate{chain: s.cfg.TLSCert, key: s.cfg.TLSKey}
		if err := cert.load(); err != nil {
			return &SettingError{"tls-cert", err}
		}
		s.onReload(cert.load)
	}
	if err := s.openMetricsListener(cert); err != nil {
		return err
	}
	if err := s.openConsoleListener(cert); err != nil {
		return err
	}
	if s.cfg.ListenTLS == "" {
		return s.listen(s.cfg.Listen, cert)
	}
	if err := s.listen(s.cfg.Listen, nil); err != nil {
		return err
	}
	return s.listen(s.cfg.ListenTLS, cert)
}

// listen opens one address. A nil certificate means plain HTTP.
func (s *Server) listen(addr string, cert *certificate) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	s.listeners = append(s.listeners, s.secured(boundListener{ln, s.conns}, cert))
	return nil
}

// secured returns a listener that speaks TLS if there is a certificate.
func (s *Server) secured(ln net.Listener, cert *certificate) listener {
	if cert == nil {
		return listener{ln, false}
	}
	return listener{tls.NewListener(ln, &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}), true}
}

// url returns the URL of the listener for clients on this machine.
func (l *listener) url() string {
	scheme := "http"
	if l.tls {
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

// A certificate is read from files that may be replaced while the server runs.
type certificate struct {
	chain, key string // paths
	pair       atomic.Pointer[tls.Certificate]
}

// load reads the files. After an error the certificate stays as it was.
func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.chain, c.key)
	if err != nil {
		return fmt.Errorf("load %s with the key %s: %w", c.chain, c.key, err)
	}
	c.pair.Store(&pair)
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair := c.pair.Load(); pair != nil {
		return pair, nil
	}
	return nil, errors.New("no certificate has been loaded")
}
