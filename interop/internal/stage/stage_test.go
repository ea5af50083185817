package stage_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"testing"

	"github.com/stocktake/stocktake/interop/internal/stage"
)

func TestMain(m *testing.M) { stage.Main(m) }

func TestNamesLeadToTheStage(t *testing.T) {
	if !stage.Inside() {
		stage.Rerun(t)
		return
	}
	for name, want := range map[string]string{
		"oss-cn-hangzhou.aliyuncs.com":          stage.OSSAddr,
		"a-bucket.oss-cn-hangzhou.aliyuncs.com": stage.OSSAddr,
		"sts.aliyuncs.com":                      stage.OSSAddr,
		"www.aliyun.com":                        stage.WorldAddr,
	} {
		if got, err := net.DefaultResolver.LookupHost(t.Context(), name); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s leads to %v, %v; want %s", name, got, err, want)
		}
	}
	if got, err := net.DefaultResolver.LookupHost(t.Context(), "nowhere.invalid"); err == nil {
		t.Errorf("nowhere.invalid leads to %v", got)
	}
}

func TestNothingLeadsOutside(t *testing.T) {
	if !stage.Inside() {
		stage.Rerun(t)
		return
	}
	nics, err := net.Interfaces()
	if err != nil || len(nics) != 1 || nics[0].Flags&net.FlagLoopback == 0 {
		t.Errorf("interfaces %v, %v; want lo alone", nics, err)
	}
}

func TestCertificateIsTrusted(t *testing.T) {
	if !stage.Inside() {
		stage.Rerun(t)
		return
	}
	pair, err := tls.LoadX509KeyPair(stage.CertFile(), stage.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(stage.CertFile())
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in the file", err)
	}
	for _, host := range []string{"sts.aliyuncs.com", "oss-cn-hangzhou.aliyuncs.com", "b.oss-cn-hangzhou.aliyuncs.com"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}
