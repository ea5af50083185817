package stage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// CertFile and KeyFile are the certificate of the names below aliyuncs.com and
// its key, in PEM. A client that takes CertFile as its only authority (Go:
// SSL_CERT_FILE, Node: NODE_EXTRA_CA_CERTS) trusts the server that shows it.
func CertFile() string { return filepath.Join(os.Getenv(mark), "cert.pem") }

// KeyFile returns the key of [CertFile].
func KeyFile() string { return filepath.Join(os.Getenv(mark), "key.pem") }

// makeCertificate writes a fresh self-signed certificate to dir.
func makeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
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
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
