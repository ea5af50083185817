package stores_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/report"
)

// A turnstile is a proxy before a server that counts the listings of a bucket. It
// holds the first until first is closed, and the second behind its first page until
// second is; reached is closed when the second is there.
type turnstile struct {
	next                   http.Handler
	bucket                 string
	first, second, reached chan struct{}

	mu              sync.Mutex
	listings, pages int
}

func (p *turnstile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.Method == http.MethodGet && strings.Trim(r.URL.Path, "/") == p.bucket && q.Has("list-type") && q.Get("max-keys") != "1" {
		p.mu.Lock()
		p.pages++
		begins := q.Get("start-after") == "" && q.Get("continuation-token") == ""
		if begins {
			p.listings++
		}
		n := p.listings
		p.mu.Unlock()
		switch {
		case begins && n == 1:
			<-p.first
		case !begins && n == 2:
			select {
			case <-p.reached:
			default:
				close(p.reached)
			}
			<-p.second
		}
	}
	p.next.ServeHTTP(w, r)
}

// testSharedListings: configurations of a bucket that are due while it is listed
// share the next listing, each with its own filter, columns, format and folder. One
// that is cancelled during it does not disturb the others.
func testSharedListings(t *testing.T, s *server) {
	binary, err := testserver.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source, reports := s.newBucket(t), s.newBucket(t)
	var keys []string
	for i := range 1200 { // two pages
		keys = append(keys, fmt.Sprintf("%s/%04d", []string{"logs", "photos", "photos"}[i%3], i))
	}
	slices.Sort(keys)
	var writers sync.WaitGroup
	for w := range 16 {
		writers.Go(func() {
			for i := w; i < len(keys); i += 16 {
				if _, err := s.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &source, Key: &keys[i], Body: strings.NewReader(keys[i][:1+i%5])}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()

	far, err := url.Parse(s.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	gate := &turnstile{
		next:   &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(far); r.Out.Host = r.In.Host }},
		bucket: source, first: make(chan struct{}), second: make(chan struct{}), reached: make(chan struct{}),
	}
	proxy := httptest.NewServer(gate)
	t.Cleanup(proxy.Close)
	openFirst, openSecond := sync.OnceFunc(func() { close(gate.first) }), sync.OnceFunc(func() { close(gate.second) })
	t.Cleanup(openFirst)
	t.Cleanup(openSecond)
	settings := filepath.Join(t.TempDir(), "stocktake.yaml")
	text := fmt.Sprintf(`stores:
  - name: lake
    kind: s3
    endpoint: %s
    credentials: {env: LAKE}
    roles: {"*": default}
    aliases: {lake-source: %s, lake-reports: %s}
    concurrency: 1
`, proxy.URL, source, reports)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	srv, err := testserver.Start(t.Context(), testserver.Config{
		Binary: binary, Data: t.TempDir(), Args: []string{"--config", settings},
		Env: []string{"LAKE_ACCESS_KEY_ID=" + accessKey, "LAKE_ACCESS_KEY_SECRET=" + secretKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := client.New(ossClient(srv))
	put := func(id, format string, filter stocktake.Filter, columns ...stocktake.Field) stocktake.Run {
		t.Helper()
		cfg := stocktake.InventoryConfiguration{
			ID: id, IsEnabled: true, Filter: filter, OptionalFields: columns, IncludedObjectVersions: stocktake.CurrentVersions,
			Schedule: stocktake.Schedule{Frequency: stocktake.Daily},
			Destination: stocktake.Destination{
				Format: format, AccountID: testserver.AccountID, RoleARN: "acs:ram::" + testserver.AccountID + ":role/stocktake", Bucket: "lake-reports", Prefix: "to/" + id,
			},
		}
		if err := c.Put(t.Context(), "lake-source", cfg); err != nil {
			t.Fatal(err)
		}
		runs, err := c.Runs(t.Context(), "lake-source", id)
		if err != nil || len(runs) != 1 {
			t.Fatalf("%+v, %v", runs, err)
		}
		return runs[0]
	}
	all := put("all", stocktake.FormatCSV, stocktake.Filter{}, stocktake.FieldSize)
	expected := []struct {
		run     stocktake.Run
		columns int
		has     func(key string, size int) bool
	}{
		{all, 3, func(string, int) bool { return true }},
		{put("again", stocktake.FormatParquet, stocktake.Filter{}, stocktake.FieldSize, stocktake.FieldETag, stocktake.FieldStorageClass), 5, func(string, int) bool { return true }},
		{put("logs", stocktake.FormatCSV, stocktake.Filter{Prefix: "logs/"}, stocktake.FieldLastModifiedDate), 3, func(key string, _ int) bool { return strings.HasPrefix(key, "logs/") }},
		{put("large", stocktake.FormatCSV, stocktake.Filter{LowerSizeBound: 4}), 2, func(_ string, size int) bool { return size >= 4 }},
	}
	dropped := put("dropped", stocktake.FormatCSV, stocktake.Filter{}, stocktake.FieldSize)
	openFirst()
	<-gate.reached
	if run, err := c.Cancel(t.Context(), "lake-source", "dropped"); err != nil || run.State != stocktake.Cancelled {
		t.Errorf("%+v, %v", run, err)
	}
	openSecond()
	for _, e := range expected {
		run, err := c.Wait(t.Context(), e.run, nil)
		if err != nil || run.State != stocktake.Succeeded {
			t.Fatalf("%+v, %v", run, err)
		}
		dst := s.store.Destination(reports)
		if v, err := report.Verify(t.Context(), dst, run.Manifest, report.VerifyOptions{}); err != nil || !v.OK {
			t.Errorf("%s: %+v, %v", run.Configuration, v, err)
		}
		r, err := report.Open(t.Context(), dst, run.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for i, key := range keys {
			if e.has(key, 1+i%5) {
				want = append(want, key)
			}
		}
		for row, err := range r.Rows(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(row.Key))
		}
		if !slices.Equal(got, want) || len(r.Columns) != e.columns || !strings.HasPrefix(run.Manifest, "to/"+run.Configuration+"/") {
			t.Errorf("%s: %d rows of %d columns, want %d of %d; %s", run.Configuration, len(got), len(r.Columns), len(want), e.columns, run.Manifest)
		}
	}
	if run, err := c.Wait(t.Context(), dropped, nil); err != nil && run.State != stocktake.Cancelled {
		t.Errorf("%+v, %v", run, err)
	}
	gate.mu.Lock()
	defer gate.mu.Unlock()
	if gate.listings != 2 || gate.pages != 4 {
		t.Errorf("%d listings of %d pages for %d reports, want 2 of 4", gate.listings, gate.pages, len(expected))
	}
}
