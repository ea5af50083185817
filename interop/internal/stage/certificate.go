package stage

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/stocktake/stocktake/internal/testserver"
)

// CertFile and KeyFile are the certificate of the names below aliyuncs.com and
// its key, in PEM. A client that takes CertFile as its only authority (Go:
// SSL_CERT_FILE, Node: NODE_EXTRA_CA_CERTS) trusts the server that shows it.
func CertFile() string { return filepath.Join(os.Getenv(mark), "cert.pem") }

// KeyFile returns the key of [CertFile].
func KeyFile() string { return filepath.Join(os.Getenv(mark), "key.pem") }

// makeCertificate writes a fresh self-signed certificate to dir.
func makeCertificate(dir string) error {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "stocktake interop"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // or OpenSSL does not take it for an authority
		DNSNames:              []string{"*.aliyuncs.com"},
	}
	for _, region := range []string{"cn-hangzhou", "cn-beijing", "cn-shanghai"} { // a wildcard spans one label
		template.DNSNames = append(template.DNSNames, "*.oss-"+region+".aliyuncs.com", "*.oss-"+region+"-internal.aliyuncs.com")
	}
	return testserver.SelfSign(template, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
}
