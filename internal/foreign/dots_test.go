package foreign_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/foreign"
)

// No certificate is valid for a host that contains a bucket with dots. All
// requests, including those of the SDK, then have the bucket in the path, and their
// operations are recognized.
func TestNamesWithDots(t *testing.T) {
	for _, bucket := range []string{"a.b.c", "a_b"} {
		var mu sync.Mutex
		methods, operations := map[string]bool{}, map[string]bool{}
		far := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			methods[r.Method] = true
			if r.URL.Path != "/"+bucket && !strings.HasPrefix(r.URL.Path, "/"+bucket+"/") || strings.Contains(r.Host, bucket) {
				t.Errorf("%s %s of host %s", r.Method, r.URL, r.Host)
			}
			switch q := r.URL.Query(); {
			case q.Has("versioning"):
				w.Write([]byte("<VersioningConfiguration/>"))
			case q.Has("list-type"):
				w.Write([]byte("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"))
			}
		}))
		t.Cleanup(far.Close)
		ca := filepath.Join(t.TempDir(), "ca.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: far.Certificate().Raw})
		if err := os.WriteFile(ca, text, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("LAKE_ACCESS_KEY_ID", "k")
		t.Setenv("LAKE_ACCESS_KEY_SECRET", "s")
		st, err := foreign.Open(foreign.Settings{
			Name: "lake", Kind: foreign.S3, Endpoint: far.URL, VirtualHosts: true, CAFile: ca,
			Credentials: foreign.Env("LAKE"), Buckets: []string{"*"},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		st.Observe(func(operation string, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			operations[operation] = true
		})
		trial, err := foreign.Try(t.Context(), st.Default(), bucket, foreign.TrialOptions{})
		if err != nil || trial.Steps[0].Error != "" {
			t.Errorf("%+v, %v", trial, err)
		}
		if !methods[http.MethodPut] || !operations["list"] || !operations["put"] {
			t.Errorf("methods %v, operations %v", methods, operations)
		}
	}
}
