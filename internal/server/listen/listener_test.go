package listen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A certificate that is not valid is reported once an hour while clients connect.
func TestCertificateThatIsNotValid(t *testing.T) {
	const chain = "cert.pem"
	pair := &tls.Certificate{Leaf: &x509.Certificate{NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)}}
	var log bytes.Buffer
	c := NewCertificate(chain, "key.pem", slog.New(slog.NewTextHandler(&log, nil)))
	c.pair.Store(pair)
	if got, err := c.get(nil); err != nil || got != pair || log.Len() > 0 {
		t.Fatalf("%v, %s", err, &log)
	}
	expired := pair.Leaf.NotAfter.Add(time.Second)
	for _, now := range []time.Time{pair.Leaf.NotAfter, expired, expired.Add(warnEvery - 1), expired.Add(warnEvery)} {
		c.warn(pair, now)
	}
	if n := strings.Count(log.String(), "certificate is not valid"); n != 2 || !strings.Contains(log.String(), "file="+chain) {
		t.Errorf("%d warnings:\n%s", n, &log)
	}
	pair.Leaf.NotAfter = time.Now().Add(-time.Minute)
	c.warned.Store(0)
	log.Reset()
	if got, err := c.get(nil); err != nil || got != pair || log.Len() == 0 {
		t.Errorf("an expired certificate is refused, or used in silence: %v, %q", err, &log)
	}
}
