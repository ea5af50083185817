package ossapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
)

// benchmark measures the handler without the network, but with signature,
// directory and store.
func benchmark(b *testing.B, method, target string, objects int) {
	access, err := ram.Open("", ram.Root{AccessKeyID: keyID, Secret: secret, Account: account}, ram.Options{})
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(b.Context(), b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	h := ossapi.New(ossapi.Config{Buckets: bucket.New(st, bucket.Options{}), Store: st, Access: access, Region: region})
	send := func(method, target, body string) {
		r := httptest.NewRequest(method, "http://127.0.0.1"+target, strings.NewReader(body))
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if err := signature.Sign(r, signature.Target{Bucket: bucket, Key: key}, signature.Credentials{ID: keyID, Secret: secret}, region, signature.V4, time.Now()); err != nil {
			b.Fatal(err)
		}
		w := &discard{header: http.Header{}}
		h.ServeHTTP(w, r)
		if w.status >= 300 {
			b.Fatal(method, target, w.status)
		}
	}
	if err := st.CreateBucket(b.Context(), object.ByService("bench"), object.NewBucket("photos", account, time.Now()), false); err != nil {
		b.Fatal(err)
	}
	content := strings.Repeat("x", 1024)
	for i := range objects {
		send("PUT", fmt.Sprintf("/photos/lake/tenant-03/access/dt=2026-03-05/part-%05d.log.gz", i), content)
	}
	body := ""
	if method == "PUT" {
		body = content
	}
	b.ReportAllocs()
	for b.Loop() {
		send(method, target, body)
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkGetObject1KiB(b *testing.B) {
	benchmark(b, "GET", "/photos/lake/tenant-03/access/dt=2026-03-05/part-00000.log.gz", 1)
}

func BenchmarkHeadObject(b *testing.B) {
	benchmark(b, "HEAD", "/photos/lake/tenant-03/access/dt=2026-03-05/part-00000.log.gz", 1)
}
func BenchmarkPutObject1KiB(b *testing.B) { benchmark(b, "PUT", "/photos/cat", 0) }
func BenchmarkListObjects1000(b *testing.B) {
	benchmark(b, "GET", "/photos/?list-type=2&max-keys=1000&encoding-type=url", 1000)
}
