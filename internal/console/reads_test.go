package console_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stocktake/stocktake/internal/console"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/server"
)

// rootOnly knows the key of the account.
type rootOnly struct{}

func (rootOnly) Key(id, _ string) (string, ram.Identity, error) {
	if id != rootKey {
		return "", ram.Identity{}, ram.ErrNoSuchAccessKey
	}
	return rootSecret, ram.Identity{Kind: ram.KindAccount, ID: account, Account: account}, nil
}

// A countedAPI passes requests on to the API of a server, and records them. It
// rejects requests for rows of a report unless rows is set.
type countedAPI struct {
	http.Handler
	mu    sync.Mutex
	asked []string
	rows  bool // may be read
}

func newCountedAPI(t *testing.T, endpoint string) *countedAPI {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return &countedAPI{Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}}
}

func (a *countedAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked = append(a.asked, r.Method+" "+r.URL.Path)
	rows := a.rows
	a.mu.Unlock()
	if isShard(r.URL.Path) && !rows {
		http.Error(w, "rows are not to be read", http.StatusTeapot)
		return
	}
	a.Handler.ServeHTTP(w, r)
}

// take returns the requests since the last call, sorted by name.
func (a *countedAPI) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	slices.Sort(asked)
	return asked
}

// isShard reports whether a path is that of a data file of a report.
func isShard(path string) bool { return strings.Contains(path, "/data/") }

// TestPagesReadNoRows loads each page from an API that rejects reading the rows of
// reports: pages use manifests, summaries and roll-ups. The requests of a page do
// not grow with the objects of the bucket, the rows of its reports or the number of
// its configurations.
func TestPagesReadNoRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	api := newCountedAPI(t, w.server.Endpoint())
	pages, err := console.New(console.Config{API: api, Keys: rootOnly{}, Region: server.DefaultRegion, Account: account, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(pages)
	t.Cleanup(front.Close)
	t.Cleanup(pages.Close)
	w.console = front.URL
	b := w.signedIn(t, rootKey, rootSecret)

	w.put(t, "photos", "a/1", "b/2", "c")
	small := w.inventory(t, configuration("daily"))
	var keys []string
	for i := range 600 {
		keys = append(keys, fmt.Sprintf("a/%02d/%d", i%40, i))
	}
	w.put(t, "photos", keys...)
	large := w.inventory(t, configuration("large"))
	asked := func(of func(string) string) map[string][]string {
		all := map[string][]string{}
		for _, rt := range console.Routes() {
			if try, ok := requests[rt.Name]; ok && rt.Method == http.MethodGet && rt.Name != "DownloadShard" && rt.Name != "VerifyReport" && !rt.Streams {
				api.take()
				b.see(t, of(try.path))
				all[rt.Name] = api.take()
			}
		}
		return all
	}
	name := func(manifest string) string { return strings.Split(manifest, "/")[3] }
	before := asked(strings.NewReplacer("RUN", small.ID, "REPORT", name(small.Manifest)).Replace)
	for i := range 60 {
		if err := w.client.Put(t.Context(), "photos", configuration(fmt.Sprint("more-", i))); err != nil {
			t.Fatal(err)
		}
	}
	after := asked(strings.NewReplacer("daily", "large", "RUN", large.ID, "REPORT", name(large.Manifest)).Replace)
	if len(before) < 10 {
		t.Errorf("only %d pages", len(before))
	}
	for page, was := range before {
		now := after[page]
		for i := range now {
			now[i] = strings.NewReplacer("large", "daily", name(large.Manifest), name(small.Manifest)).Replace(now[i])
		}
		slices.Sort(now)
		if !slices.Equal(was, now) || len(was) > 10 {
			t.Errorf("%s asks for\n%q and, once there is more,\n%q", page, was, now)
		}
	}

	// The two pages that show rows do read them.
	report := "/buckets/photos/inventories/daily/reports/" + name(small.Manifest)
	if a := b.get(t, report+"/shards/0"); a.status == http.StatusOK {
		t.Errorf("a shard that cannot be read: %d", a.status)
	}
	want(t, b.get(t, report+"/verify").body, "It could not be verified")
	api.mu.Lock()
	api.rows = true
	api.mu.Unlock()
	if a := b.get(t, report+"/shards/0"); a.status != http.StatusOK {
		t.Errorf("a shard: %d", a.status)
	}
	want(t, b.get(t, report+"/verify").body, "nothing is wrong")
	if !slices.ContainsFunc(api.take(), isShard) {
		t.Error("no request was for a shard: the test looks for them in the wrong place")
	}
}
