package systemtest

import (
	"context"
	"errors"
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

	buckets "github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
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

// rounds returns the value of an environment variable that scales a test, or n if it is not
// set.
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

// A house is the OSS face on a store, without listeners and without anything that
// works in the background. It is not made by package server, although that wires
// the same parts (TestFilesThatRun and the tests of the binary use it), because a
// model can be compared with it only if nothing but the test changes it:
//
//   - Its clock is a number that the test moves between two requests. The clock of
//     a server has timers, and moving it starts runs, lifecycle passes, scrubs and
//     checkpoints.
//   - Its store lies in memory or on a file system that the test fails, and has an
//     inline limit and a limit of buckets of its own. A data folder of a server
//     holds secrets and a catalog that must be files of the machine.
//   - The test opens, audits and closes the store itself, in the middle of a
//     sequence.
type house struct {
	handler http.Handler
	store   *store.Store
	keys    *kms.Keys
	dir     string // empty: in memory
	close   func()

	o    houseOptions
	fs   vfs.FS // nil: the operating system's
	side string // where the keys are, and what else is not in fs
}

// houseOptions configure a house. The zero value is the production server in a folder of its
// own.
type houseOptions struct {
	now         func() time.Time // nil: time.Now
	memory      bool             // and without a catalog
	inline      int
	bodyTimeout time.Duration
}

func newHouse(t testing.TB, o houseOptions) *house {
	t.Helper()
	h := &house{o: o, side: t.TempDir()}
	if o.memory {
		h.fs = vfs.NewMem()
	} else {
		h.dir = h.side
	}
	check(t, h.open(t.Context(), slog.New(slog.DiscardHandler)))
	return h
}

// restart stops the server and starts it again.
func (h *house) restart(ctx context.Context) error {
	h.close()
	return h.open(ctx, slog.New(slog.DiscardHandler))
}

// open connects the parts that the OSS API needs, as package server does.
func (h *house) open(ctx context.Context, log *slog.Logger) (err error) {
	if h.keys, err = kms.Open(filepath.Join(h.side, "keys.json"), kms.Options{MasterFile: filepath.Join(h.side, "master.key")}); err != nil {
		return err
	}
	data := "data"
	if h.dir != "" {
		data = h.dir
	}
	h.store, err = store.Open(ctx, data, store.Options{
		Now: h.o.now, Log: log, FS: h.fs, Keys: keyring{h.keys},
		InlineBytes: h.o.inline, CacheBytes: 4 << 20, MaxBuckets: 1 << 20,
	})
	if err != nil {
		return err
	}
	access, err := ram.Open("", ram.Root{AccessKeyID: owner.ID, Secret: owner.Secret, Account: account}, ram.Options{Now: h.o.now, Log: log})
	if err != nil {
		return err
	}
	if err := access.CreateAccount(stranger); err != nil {
		return err
	}
	if _, err := access.AddKey(stranger, "", other.ID, other.Secret); err != nil {
		return err
	}
	registry := buckets.New(h.store, buckets.Options{Region: region, Access: access, Now: h.o.now})
	var inventories ossapi.Inventories = noInventories{}
	closeCatalog := func() error { return nil }
	if h.dir != "" {
		cat, err := sqlite.Open(ctx, filepath.Join(h.dir, "catalog.db"))
		if err != nil {
			return err
		}
		closeCatalog = cat.Close
		if inventories, err = inventory.New(ctx, cat, registry, nil, inventory.Options{Log: log}); err != nil {
			return err
		}
	}
	h.handler = ossapi.New(ossapi.Config{
		Buckets: registry, Store: h.store, Inventories: inventories, Access: access,
		Region: region, Hosts: []string{baseHost}, BodyTimeout: h.o.bodyTimeout, Now: h.o.now, Log: log,
	})
	h.close = func() {
		if err := errors.Join(closeCatalog(), h.store.Close()); err != nil {
			panic(err)
		}
	}
	return nil
}

// audit checks that the index and the blob files agree.
func (h *house) audit(t testing.TB) store.Audit {
	t.Helper()
	a, err := h.store.Audit(context.Background(), func(p store.Problem) { t.Errorf("audit: %v", p) }, nil)
	check(t, err)
	return a
}

// noInventories serves tests that use no inventories.
type noInventories struct{ ossapi.Inventories }

func (noInventories) BucketDeleted(context.Context, string) error { return nil }
func (noInventories) ForgetDeleted(context.Context, string) error { return nil }

// keyring passes the requested keys to the store, as package server does.
type keyring struct{ keys *kms.Keys }

func (k keyring) Wrap(ctx context.Context, owner string, e object.Encryption, dataKey []byte) (object.Encryption, []byte, error) {
	id := e.KeyID
	switch {
	case e.Algorithm == "AES256":
		id = kms.ServiceKey
	case e.Algorithm != "KMS" || id == kms.ServiceKey:
		return e, nil, fmt.Errorf("encryption %s with key %q: %w", e.Algorithm, id, object.ErrKMSKey)
	}
	used, wrapped, err := k.keys.Wrap(ctx, owner, id, dataKey, []byte(e.Algorithm))
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
