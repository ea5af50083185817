package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/keygen"
	"github.com/stocktake/stocktake/stocktaketest"
)

// heldStore is a distant store that holds its answers to listings until they are released.
type heldStore struct {
	farstore.Store
	open chan struct{}
	once sync.Once
}

func (h *heldStore) release() { h.once.Do(func() { close(h.open) }) }

func (h *heldStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("list-type") {
		<-h.open
	}
	h.Store.ServeHTTP(w, r)
}

// Configurations of a bucket on another store that are due while it is listed share
// the next listing: it is listed twice for five reports, each with its own rows.
func TestSharedListings(t *testing.T) {
	const rows = 20_000
	bucket, err := keygen.New("flat", rows)
	if err != nil {
		t.Fatal(err)
	}
	far := &heldStore{Store: farstore.Store{Bucket: bucket}, open: make(chan struct{})}
	server := httptest.NewServer(far)
	t.Cleanup(server.Close)
	t.Cleanup(far.release)
	settings := foreign.Settings{
		Name: "lake", Kind: foreign.S3, Endpoint: server.URL, Credentials: lake(t, &stocktaketest.Server{AccessKeyID: "k", AccessKeySecret: "s"}).Credentials,
		Roles: []foreign.RoleCredentials{{Role: "*"}}, Buckets: []string{"lake-*"},
	}
	settings.Limits.Concurrency = 1 // so that no range is cut
	near := stocktaketest.New(t, stocktaketest.WithBuckets("reports"), withStores(settings))
	c := near.Inventories()
	prefixes := []string{"", "", "obj-0000000", "obj-00000001", "none"}
	for i, prefix := range prefixes {
		cfg := configuration(near, fmt.Sprint("daily-", i), "reports")
		cfg.Filter.Prefix = prefix
		if err := c.Put(t.Context(), "lake-photos", cfg); err != nil { // its first run begins
			t.Fatal(err)
		}
	}
	// One of the waiting runs is cancelled, and ends at once.
	dropped := configuration(near, "dropped", "reports")
	if err := c.Put(t.Context(), "lake-photos", dropped); err != nil {
		t.Fatal(err)
	}
	if run, err := c.Cancel(t.Context(), "lake-photos", "dropped"); err != nil || run.State != stocktake.Cancelled {
		t.Errorf("%+v, %v", run, err)
	}
	far.release()
	matched := make([]int64, len(prefixes))
	for i := range prefixes {
		runs, err := c.Runs(t.Context(), "lake-photos", fmt.Sprint("daily-", i))
		if err != nil || len(runs) != 1 {
			t.Fatalf("%v, %v", runs, err)
		}
		run, err := c.Wait(t.Context(), runs[0], nil)
		if err != nil || run.State != stocktake.Succeeded {
			t.Fatalf("%+v, %v", run, err)
		}
		matched[i] = run.Matched
	}
	if want := []int64{rows, rows, bucket.Rank("obj-0000000\xff") - bucket.Rank("obj-0000000"), bucket.Rank("obj-00000001\xff") - bucket.Rank("obj-00000001"), 0}; !slices.Equal(matched, want) {
		t.Errorf("rows %d, want %d", matched, want)
	}
	if pages := far.Stats().Pages; pages > 2*rows/1000+4 {
		t.Errorf("%d pages are listed for %d reports of at most %d", pages, len(prefixes), rows/1000)
	}
}
