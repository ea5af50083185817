package server

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/testserver"
)

// A replaced certificate is served after Reload. If the new one cannot be read, the old one
// stays in force.
func TestReloadCertificate(t *testing.T) {
	dir := t.TempDir()
	chain, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := testserver.WriteCertificate(1, chain, key); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Config{Data: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", TLSCert: chain, TLSKey: key, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	listener := s.listeners[0]
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	serial := func() int64 {
		conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("serial number %d, want 1", n)
	}
	validity := func() (bounds [2]string) {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, metricsPath, nil))
		for i, name := range []string{"start", "expiry"} {
			_, rest, _ := strings.Cut(w.Body.String(), "\nstocktake_tls_certificate_"+name+"_timestamp_seconds ")
			bounds[i], _, _ = strings.Cut(rest, "\n")
		}
		return bounds
	}
	inUse := func() (bounds [2]string) {
		pair, err := tls.LoadX509KeyPair(chain, key)
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range []time.Time{pair.Leaf.NotBefore, pair.Leaf.NotAfter} {
			bounds[i] = strconv.FormatFloat(float64(at.Unix()), 'g', -1, 64)
		}
		return bounds
	}
	if got, want := validity(), inUse(); got != want {
		t.Errorf("the metric says %q, the certificate %q", got, want)
	}
	if err := testserver.WriteCertificate(2, chain, key); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("serial number %d after Reload, want 2", n)
	}
	if err := os.WriteFile(chain, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("nonsense was read as a certificate")
	}
	if n := serial(); n != 2 {
		t.Errorf("serial number %d after a Reload that failed, want 2", n)
	}
}

// The second server of a machine starts without a console, unless the address of the console
// was set.
func TestConsoleWhereItsAddressIsInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0", ConsoleListen: taken.Addr().String(), ConsoleIfFree: true, Log: slog.New(slog.DiscardHandler)}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if url := s.ConsoleURL(); url != "" {
		t.Errorf("the console is at %s, an address of another server", url)
	}
	cfg.Data, cfg.ConsoleIfFree = t.TempDir(), false
	if _, err := New(t.Context(), cfg); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "--console-listen") {
		t.Errorf("with an address that was asked for: %v", err)
	}
}
