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
	ln = boundListener{ln, s.conns}
	if cert != nil {
		ln = tls.NewListener(ln, &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12})
	}
	s.listeners = append(s.listeners, listener{ln, cert != nil})
	return nil
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
