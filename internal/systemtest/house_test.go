package systemtest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"

	"github.com/stocktake/stocktake/internal/catalog"
)

const (
	region   = "cn-hangzhou"
	account  = "1000000000000000"
	stranger = "2000000000000000"
	baseHost = "oss.example.com"
)

var (
	owner = signature.Credentials{ID: "root-key", Secret: "root-secret"}
	other = signature.Credentials{ID: "other-key", Secret: "other-secret"}
)

// rounds is how much a test does: n, or what the environment variable says.
func rounds(t *testing.T, variable string, n int) int {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" {
		return n
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: a number above 0 is expected", variable, v)
	}
	return n
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A dial is a clock that a test moves.
type dial struct{ at atomic.Int64 }

func newDial() *dial {
	d := new(dial)
	d.at.Store(time.Date(2026, 3, 1, 10, 0, 0, 250e6, time.UTC).UnixMilli())
	return d
}

func (d *dial) now() time.Time            { return time.UnixMilli(d.at.Load()).UTC() }
func (d *dial) move(by time.Duration)     { d.at.Add(by.Milliseconds()) }
func (d *dial) header(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// A house is the server without its listeners.
type house struct {
	handler http.Handler
	store   *store.Store
	keys    *kms.Keys
	dir     string // empty: in memory
	close   func()
}

// houseOptions tune a house. The zero value is the production server on a
// folder of its own.
type houseOptions struct {
	now         func() time.Time // nil: time.Now
	memory      bool
	inline      int
	bodyTimeout time.Duration
}

func newHouse(t testing.TB, o houseOptions) *house {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() && os.Getenv("STOCKTAKE_LOG") != "" {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	h := &house{}
	so := store.Options{Now: o.now, Log: log, InlineBytes: o.inline, CacheBytes: 4 << 20, MaxBuckets: 1 << 20}
	keyFile, catalogFile, data, master := "", "", "data", filepath.Join(t.TempDir(), "master.key")
	if o.memory {
		so.FS = vfs.NewMem()
		keyFile, catalogFile = filepath.Join(t.TempDir(), "keys.json"), ""
	} else {
		h.dir = t.TempDir()
		data, keyFile, catalogFile = h.dir, filepath.Join(h.dir, "keys.json"), filepath.Join(h.dir, "catalog.db")
		master = filepath.Join(h.dir, "master.key")
	}
	keys, err := kms.Open(keyFile, kms.Options{MasterFile: master})
	check(t, err)
	h.keys, so.Keys = keys, keyring{keys}
	h.store, err = store.Open(t.Context(), data, so)
	check(t, err)

	access, err := ram.Open("", ram.Root{AccessKeyID: owner.ID, Secret: owner.Secret, Account: account}, ram.Options{Now: o.now, Log: log})
	check(t, err)
	check(t, access.CreateAccount(stranger))
	_, err = access.AddKey(stranger, "", other.ID, other.Secret)
	check(t, err)

	var inventories ossapi.Inventories = noInventories{}
	closeCatalog := func() error { return nil }
	if catalogFile != "" {
		cat, err := catalog.Open(t.Context(), catalogFile)
		check(t, err)
		closeCatalog = cat.Close
		inventories, err = inventory.New(t.Context(), cat, buckets{h.store}, nil, inventory.Options{Log: log})
		check(t, err)
	}
	h.handler = ossapi.New(ossapi.Config{
		Store: h.store, Inventories: inventories, Access: access,
		Region: region, Hosts: []string{baseHost}, BodyTimeout: o.bodyTimeout, Now: o.now, Log: log,
	})
	h.close = func() {
		check(t, closeCatalog())
		check(t, h.store.Close())
	}
	return h
}

// audit checks that the index and the blob files agree.
func (h *house) audit(t testing.TB) store.Audit {
	t.Helper()
	a, err := h.store.Audit(context.Background(), func(p store.Problem) { t.Errorf("audit: %v", p) })
	check(t, err)
	return a
}

// buckets lets the inventory service look at the store's buckets.
type buckets struct{ s *store.Store }

func (b buckets) Bucket(ctx context.Context, name string) (inventory.Bucket, error) {
	have, err := b.s.Bucket(ctx, name)
	return inventory.Bucket{Owner: have.Owner, Region: region}, err
}

// noInventories is for tests that ask for none.
type noInventories struct{ ossapi.Inventories }

func (noInventories) BucketDeleted(context.Context, string) error { return nil }

// keyring gives the store the keys it asks for, as cmd/stocktake does.
type keyring struct{ keys *kms.Keys }

func (k keyring) Wrap(ctx context.Context, e object.Encryption, dataKey []byte) (object.Encryption, []byte, error) {
	id := e.KeyID
	switch {
	case e.Algorithm == "AES256":
		id = kms.ServiceKey
	case e.Algorithm != "KMS" || id == kms.ServiceKey:
		return e, nil, fmt.Errorf("encryption %s with key %q: %w", e.Algorithm, id, object.ErrKMSKey)
	}
	used, wrapped, err := k.keys.Wrap(ctx, id, dataKey, []byte(e.Algorithm))
	if err != nil {
		return e, nil, fmt.Errorf("%w: %w", object.ErrKMSKey, err)
	}
	if e.Algorithm == "KMS" {
		e.KeyID = used
	}
	return e, wrapped, nil
}

func (k keyring) Unwrap(ctx context.Context, e object.Encryption, wrapped []byte) ([]byte, error) {
	return k.keys.Unwrap(ctx, wrapped, []byte(e.Algorithm))
}
