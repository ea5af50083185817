package signature_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stocktake/stocktake/internal/signature"
)

// BenchmarkVerify measures Parse and Verify of a GetObject as the Go SDK sends it.
func BenchmarkVerify(b *testing.B) {
	target := signature.Target{Bucket: "photos", Key: "2026/01/05/a picture of a cat.jpg"}
	cred := signature.Credentials{ID: "LTAI5tExample", Secret: "a secret of thirty characters."}
	for _, scheme := range []signature.Scheme{signature.V1, signature.V4} {
		b.Run(scheme.String(), func(b *testing.B) {
			r := httptest.NewRequest("GET", "/photos/x?versionId=CAEQMhiBgIDXiaaB0BYiIGQzYmRkZGUxMTM1ZDRjOTZhNjk4YjRjMTAyZjhlYmQ2", nil)
			r.Header.Set("User-Agent", "alibabacloud-oss-go-sdk-v2/1.6.1")
			r.Header.Set("Accept-Encoding", "gzip")
			r.Header.Set("Content-Type", "application/octet-stream")
			if err := signature.Sign(r, target, cred, "cn-hangzhou", scheme, signed); err != nil {
				b.Fatal(err)
			}
			targets := []signature.Target{target}
			b.ReportAllocs()
			for b.Loop() {
				a, err := signature.Parse(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := a.Verify(r, targets, cred.Secret, signed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
