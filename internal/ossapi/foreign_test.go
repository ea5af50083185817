package ossapi_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/ossapi"
)

// away is a store named in the settings file. It claims names that start with
// "lake-", has lake-photos, and does not answer requests for lake-slow.
type away struct{}

func (away) Claims(name string) (string, bool)    { return name, strings.HasPrefix(name, "lake-") }
func (away) Allows(string) error                  { return nil }
func (away) Source(string) (engine.Source, error) { return nil, errors.ErrUnsupported }

func (away) CredentialsName(string) (string, error) { return "", errors.ErrUnsupported }

func (away) Destination(string, string) (engine.Destination, error) {
	return nil, errors.ErrUnsupported
}

func (away) Costs([]stocktake.Field) engine.Costs { return engine.Costs{} }

func (away) Encrypts(context.Context, string, string, string, stocktake.Encryption) error { return nil }

func (away) CheckBucket(_ context.Context, name string) error {
	switch name {
	case "lake-photos":
		return nil
	case "lake-slow":
		return context.DeadlineExceeded
	}
	return stocktake.ErrNoSuchBucket
}

// For buckets of other stores the inventory API and three operations work. For
// authorized callers, all other operations return the endpoint to use.
func TestBucketsOfOtherStores(t *testing.T) {
	base := newWorld(t)
	base.must(t, base.do(t, "PUT", "/photos", "", nil), 200)
	base.must(t, base.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	w := newWorld(t, func(c *ossapi.Config) {
		c.Store = base.store
		c.Buckets = bucket.New(base.store, bucket.Options{Region: region, Stores: []bucket.Store{
			{Name: "lake", Endpoint: "https://s3.lan:9000", Account: account, Region: "eu-1", Service: away{}},
		}})
	})
	w.must(t, w.do(t, "HEAD", "/lake-photos", "", nil), 200)
	m := w.do(t, "GET", "/lake-photos?bucketInfo", "", nil)
	w.must(t, m, 200)
	for _, want := range []string{"<Name>lake-photos</Name>", "<Location>oss-eu-1</Location>", "<ExtranetEndpoint>s3.lan:9000</ExtranetEndpoint>", "<ID>" + account + "</ID>"} {
		if !strings.Contains(m.body, want) {
			t.Errorf("GetBucketInfo lacks %s: %s", want, m.body)
		}
	}
	if m := w.do(t, "GET", "/lake-photos?location", "", nil); m.status != 200 || !strings.Contains(m.body, "oss-eu-1") {
		t.Errorf("%d %s", m.status, m.body)
	}
	for _, query := range []string{"?bucketInfo", "?location"} {
		w.refused(t, w.do(t, "GET", "/lake-none"+query, "", nil), 404, "NoSuchBucket")
	}
	if m := w.do(t, "HEAD", "/lake-none", "", nil); m.status != 404 {
		t.Errorf("%d", m.status)
	}
	for _, r := range [][2]string{
		{"GET", "/lake-photos"},
		{"GET", "/lake-photos?list-type=2"},
		{"DELETE", "/lake-photos"},
		{"GET", "/lake-photos?acl"},
		{"PUT", "/lake-photos?versioning"},
		{"GET", "/lake-photos?stat"},
		{"POST", "/lake-photos?delete"},
		{"PUT", "/lake-photos/cat"},
		{"GET", "/lake-photos/cat"},
		{"POST", "/lake-photos/cat?uploads"},
	} {
		m := w.do(t, r[0], r[1], "", nil)
		w.refused(t, m, 501, "NotImplemented")
		if !strings.Contains(m.body, "the store lake") || !strings.Contains(m.body, "use the endpoint https://s3.lan:9000") {
			t.Errorf("%s: %s", r, m.body)
		}
		if m := w.anonymous(t, r[0], r[1], ""); m.status != 403 && r[1] != "/lake-photos?delete" {
			t.Errorf("%s of a stranger: %d %s", r, m.status, m.body)
		}
	}
	w.refused(t, w.do(t, "PUT", "/photos/copy", "", map[string]string{"X-Oss-Copy-Source": "/lake-photos/cat"}), 501, "NotImplemented")
	for _, name := range []string{"/lake-photos", "/lake-none"} { // claimed is claimed
		w.refused(t, w.do(t, "PUT", name, "", nil), 409, "BucketAlreadyExists")
	}
	w.refused(t, w.do(t, "GET", "/lake-slow?bucketInfo", "", nil), 503, "ServiceUnavailable")
	w.refused(t, w.do(t, "GET", "/lake-none?location", "", nil), 503, "ServiceUnavailable") // the store is not asked again
	if got := base.store.BucketNames(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// A bucket of another store has no journal, so its changes cannot be reported. A
// configuration that requests this is rejected as OSS rejects accounts without the
// feature, with the reason in the message, and nothing is stored.
func TestIncrementalReportsOfOtherStores(t *testing.T) {
	base := newWorld(t)
	base.bucket(t, "photos")
	registry := bucket.New(base.store, bucket.Options{Region: region, Stores: []bucket.Store{
		{Name: "lake", Endpoint: "https://s3.lan:9000", Account: account, Region: region, Service: away{}},
	}})
	cat, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	check(t, err)
	t.Cleanup(func() { check(t, cat.Close()) })
	inventories, err := inventory.New(t.Context(), cat, registry, nil, inventory.Options{
		Log: slog.New(slog.DiscardHandler), Journal: base.store.Journal(),
	})
	check(t, err)
	w := newWorld(t, func(c *ossapi.Config) { c.Store, c.Buckets, c.Inventories = base.store, registry, inventories })

	const query = "?inventory&inventoryId=daily"
	incremental := configuration("daily", "<IncrementalInventory><IsEnabled>true</IsEnabled><Schedule><Frequency>600</Frequency></Schedule></IncrementalInventory>")
	p := w.refused(t, w.do(t, "PUT", "/lake-photos/"+query, incremental, nil), 403, "AccessDenied")
	if want := "Incremental Inventory is disabled: the bucket lake-photos is in the store lake, which does not record changes."; p.Message != want || p.EC != "" || p.BucketName != "lake-photos" {
		t.Errorf("%+v, want %s", p, want)
	}
	w.refused(t, w.do(t, "GET", "/lake-photos/"+query, "", nil), 404, "NoSuchInventory")
	// For a bucket of the embedded store they can be reported; full reports work for
	// both.
	w.must(t, w.do(t, "PUT", "/photos/"+query, incremental, nil), 200)
	if m := w.must(t, w.do(t, "GET", "/photos/"+query, "", nil), 200); !strings.Contains(m.body, "<IncrementalInventory>") {
		t.Error(m.body)
	}
	w.must(t, w.do(t, "PUT", "/lake-photos/"+query, strings.Replace(incremental, "<IncrementalInventory><IsEnabled>true", "<IncrementalInventory><IsEnabled>false", 1), nil), 200)
}
