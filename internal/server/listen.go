package server

import (
	"fmt"
	"net"

	"github.com/stocktake/stocktake/internal/server/listen"
)

// openListeners opens the addresses of the settings, all of them or none.
func (s *Server) openListeners() error {
	var cert *listen.Certificate
	if s.cfg.TLSCert != "" {
		cert = listen.NewCertificate(s.cfg.TLSCert, s.cfg.TLSKey, s.log)
		if err := cert.Load(); err != nil {
			return &SettingError{"tls-cert", err}
		}
		s.certificate = cert
		s.onReload(cert.Load)
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
func (s *Server) listen(addr string, cert *listen.Certificate) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	s.listeners = append(s.listeners, listen.NewListener(ln, s.conns, cert))
	return nil
}
