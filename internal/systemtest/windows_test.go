package systemtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	registry "github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/runner/local"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/report"
)

// TestWindowsJoinReports checks random histories against the law of incremental reports: a full
// report and the windows after it together equal a full report at a later time. Failures,
// restarts and a clock that is put back do not matter, and each change is in one window.
//
// Source: spec inventory-report.md, section 5.5a.
func TestWindowsJoinReports(t *testing.T) {
	first := uint64(1)
	if os.Getenv(seedVariable) != "" {
		first = firstSeed(t)
	}
	for seed := first; seed < first+uint64(rounds(t, seedsVariable, 6)); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newHistory(t, seed)
			for range 60 {
				w.step()
			}
			w.end()
		})
	}
}

// A history is an inventory service on a store whose bucket changes.
type history struct {
	t     *testing.T
	rnd   *rand.Rand
	dir   string
	clock *clock.Movable
	back  time.Duration // by which the clock was put back, in total
	chaos *chaos

	store   *store.Store
	catalog *sqlite.Catalog
	service *inventory.Service
	stop    context.CancelFunc
	served  chan error

	versions map[string][]string // ids made, by key
	begun    bool                // the bucket has had versioning

	memory int64 // memory to apply windows; 0: little, and a different amount for each report
}

const (
	lawWindow = time.Minute
	lawKeys   = 5
)

var lawLifecycle = object.ByService("lifecycle")

var lawBy = object.Origin{Principal: configtest.Account, Request: "5C3D9175B6FC201293AD4890"}

func newHistory(t *testing.T, seed uint64) *history {
	w := &history{
		t: t, rnd: rand.New(rand.NewPCG(seed, 15)), dir: t.TempDir(), chaos: &chaos{},
		clock: clock.NewFrozen(time.Date(2026, 1, 5, 16, 0, 20, 0, time.UTC)), versions: map[string][]string{},
	}
	w.open()
	t.Cleanup(w.close)
	for _, name := range []string{"photos", "reports"} {
		w.must(w.store.CreateBucket(t.Context(), lawBy, object.Bucket{Name: name, Owner: configtest.Account}, false))
	}
	for range 10 {
		w.change()
	}
	for _, versions := range []stocktake.IncludedObjectVersions{stocktake.AllVersions, stocktake.CurrentVersions} {
		w.must(w.service.Put(t.Context(), "photos", lawConfiguration(versions)))
	}
	w.advance(time.Second)
	return w
}

func lawConfiguration(versions stocktake.IncludedObjectVersions) stocktake.InventoryConfiguration {
	cfg := configtest.Minimal()
	cfg.ID, cfg.IncludedObjectVersions, cfg.Destination.Bucket = strings.ToLower(string(versions)), versions, "reports"
	cfg.Filter = stocktake.Filter{}
	cfg.OptionalFields = nil
	cfg.Incremental = &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow}
	for _, f := range stocktake.Fields() {
		if f.Column().Incremental == stocktake.Optional {
			cfg.Incremental.OptionalFields = append(cfg.Incremental.OptionalFields, f)
			if f.Column().Full == stocktake.Optional {
				cfg.OptionalFields = append(cfg.OptionalFields, f)
			}
		}
	}
	return cfg
}

func (w *history) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// open starts the service.
func (w *history) open() {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	var err error
	w.store, err = store.Open(w.t.Context(), filepath.Join(w.dir, "store"), store.Options{Now: w.clock.Now, Log: log})
	w.must(err)
	w.catalog, err = sqlite.Open(w.t.Context(), filepath.Join(w.dir, "catalog.db"))
	w.must(err)
	buckets := registry.New(w.store, registry.Options{})
	ctx, stop := context.WithCancel(context.Background())
	w.chaos.begin(stop)
	w.service, err = inventory.New(ctx, w.catalog, buckets.ForInventories(), &local.Runner{
		Stores: chaosStores{buckets, w.chaos}, Options: engine.Options{Workers: 1, Limits: report.Limits{Rows: 4}, Log: log, EmptyManifest: true},
		Journal: w.store.Journal(), WindowLimits: report.Limits{Rows: 3},
	}, inventory.Options{Clock: w.clock, Journal: w.store.Journal(), Window: lawWindow, Log: log, Keep: 1000})
	w.must(err)
	w.stop, w.served = stop, make(chan error, 1)
	go func(s *inventory.Service, served chan error) { served <- s.Serve(ctx) }(w.service, w.served)
}

func (w *history) close() {
	w.t.Helper()
	if w.store == nil {
		return
	}
	w.stop()
	w.must(<-w.served)
	w.must(errors.Join(w.catalog.Close(), w.store.Close()))
	w.store = nil
}

// advance moves the clock until all that falls due is done, or the service has ended.
func (w *history) advance(d time.Duration) {
	w.t.Helper()
	w.must(w.clock.Advance(w.t.Context(), d))
}

// step makes a random change.
func (w *history) step() {
	w.t.Helper()
	switch n := w.rnd.IntN(21); {
	case n < 13:
		w.change()
		if w.rnd.IntN(2) == 0 {
			w.advance(time.Duration(w.rnd.IntN(5000)) * time.Millisecond)
		}
	case n < 16:
		w.advance(time.Duration(w.rnd.IntN(100)) * time.Second)
	case n < 17:
		_, err := w.service.Run(w.t.Context(), "photos", []string{"all", "current"}[w.rnd.IntN(2)])
		w.must(err)
		w.advance(0)
	case n < 18: // the destination fails for a while
		w.chaos.failing.Store(!w.chaos.failing.Load())
	case n < 19: // the process ends, and the clock is put back
		w.close()
		back := time.Duration(w.rnd.IntN(200_000)) * time.Millisecond
		w.clock, w.back = clock.NewFrozen(w.clock.Now().Add(-back)), w.back+back
		w.open()
	default: // the process ends, at some operation of a run or at once
		w.chaos.die(w.rnd.IntN(30))
		w.advance(time.Duration(w.rnd.IntN(100)) * time.Second)
		w.close()
		if w.rnd.IntN(2) == 0 {
			w.advance(time.Duration(w.rnd.IntN(200)) * time.Second)
		}
		w.open()
	}
}

// change makes a change of the bucket.
func (w *history) change() {
	w.t.Helper()
	ctx, s := w.t.Context(), w.store
	key := fmt.Sprint("猫 ", w.rnd.IntN(lawKeys))
	body := strings.Repeat("x", w.rnd.IntN(20))
	put := object.Put{Bucket: "photos", Key: key, Size: -1}
	made := func(info object.Info, err error) {
		w.t.Helper()
		w.must(err)
		w.versions[key] = append(w.versions[key], info.VersionID)
	}
	some := func() object.Version {
		v := object.Version{Bucket: "photos", Key: key}
		if ids := w.versions[key]; len(ids) > 0 {
			v.ID = ids[w.rnd.IntN(len(ids))]
		}
		return v
	}
	none := func(err error) bool {
		_, marker := errors.AsType[*object.DeleteMarkerError](err)
		return marker || errors.Is(err, object.ErrMethodNotAllowed) || errors.Is(err, object.ErrNoSuchKey) || errors.Is(err, object.ErrNoSuchVersion)
	}
	update := func(by object.Origin, update func(*object.Info)) {
		w.t.Helper()
		_, err := s.UpdateObject(ctx, by, some(), func(i *object.Info) error {
			update(i)
			return nil
		})
		if err != nil && !none(err) {
			w.t.Fatal(err)
		}
	}
	switch w.rnd.IntN(16) {
	case 0, 1, 2:
		made(s.PutObject(ctx, lawBy, put, strings.NewReader(body)))
	case 3:
		info, err := s.Head(ctx, object.Version{Bucket: "photos", Key: key})
		if err != nil || info.Type != stocktake.Appendable {
			key += " appended"
			put.Key = key
			info, err = s.Head(ctx, object.Version{Bucket: "photos", Key: key})
		}
		if err != nil {
			info.Size = 0
		}
		made(s.AppendObject(ctx, lawBy, put, info.Size, strings.NewReader(body)))
	case 4:
		made(s.PutSymlink(ctx, lawBy, put, "target"))
	case 5:
		up, err := s.InitiateUpload(ctx, lawBy, put)
		w.must(err)
		_, err = s.UploadPart(ctx, lawBy, (object.UploadID{Bucket: "photos", Key: key, ID: up.ID}), 1, object.Put{Size: -1}, strings.NewReader(body+"!"))
		w.must(err)
		made(s.CompleteUpload(ctx, lawBy, (object.UploadID{Bucket: "photos", Key: key, ID: up.ID}), object.Completion{}))
	case 6, 7:
		did, err := s.Delete(ctx, lawBy, object.Version{Bucket: "photos", Key: key})
		w.must(err)
		if did.DeleteMarker {
			w.versions[key] = append(w.versions[key], did.VersionID)
		}
	case 8:
		if v := some(); v.ID != "" {
			_, err := s.Delete(ctx, lawBy, v)
			w.must(err)
		}
	case 9, 10:
		update(lawBy, func(i *object.Info) {
			i.ACL, i.StorageClass = stocktake.ACL(w.rnd.IntN(4)), stocktake.StorageClass(w.rnd.IntN(5))
		})
	case 11:
		w.must(s.UpdateBucket(ctx, lawBy, "photos", func(b *object.Bucket) error {
			b.Versioning = []object.Versioning{object.Enabled, object.Suspended}[w.rnd.IntN(2)]
			return nil
		}))
		if !w.begun { // a report cannot say so before there is a change
			w.begun = true
			made(s.PutObject(ctx, lawBy, put, strings.NewReader(body)))
		}
	case 12:
		update(lawBy, func(i *object.Info) { i.Tags = []object.Tag{{Key: "n", Value: fmt.Sprint(w.rnd.IntN(3))}} })
	case 13: // a rule moves an object
		update(lawLifecycle, func(i *object.Info) { i.StorageClass = stocktake.StorageClass(w.rnd.IntN(5)) })
	case 14, 15: // a rule removes a version, or the current object
		v := some()
		if w.rnd.IntN(2) == 0 {
			v.ID = ""
		}
		did, err := s.DeleteIf(ctx, lawLifecycle, v, func(object.Info) error { return nil })
		if err != nil && !none(err) {
			w.t.Fatal(err)
		}
		if did.DeleteMarker && v.ID == "" {
			w.versions[key] = append(w.versions[key], did.VersionID)
		}
	}
}

// end waits until all windows are published, makes a last full report, and checks the law
// between each full report and the last.
func (w *history) end() {
	w.t.Helper()
	w.chaos.failing.Store(false)
	w.advance(w.back + 3*lawWindow) // later than everything that was made before the clock was put back
	for _, id := range []string{"all", "current"} {
		_, err := w.service.Run(w.t.Context(), "photos", id)
		w.must(err)
		w.advance(time.Second)
		w.law(id)
	}
}

// law checks the law for a configuration. It returns its windows, in order, and the number of
// full reports to which they were applied.
func (w *history) law(id string) (windows []*report.Report, joined int) {
	w.t.Helper()
	ctx := w.t.Context()
	dst := w.store.Destination("reports", lawBy)
	cfg := lawConfiguration(stocktake.AllVersions)
	at := report.Location{Prefix: cfg.Destination.Prefix, Bucket: "photos", Configuration: id}
	var full []*report.Report
	last := uint64(0)
	for d, err := range report.WindowDirectories(ctx, dst, at) {
		w.must(err)
		if !d.Manifest {
			w.t.Errorf("%s: the window %s is not complete", id, d.Key)
			continue
		}
		v, err := report.Verify(ctx, dst, d.Key+report.ManifestName, report.VerifyOptions{})
		w.must(err)
		if !v.OK {
			w.t.Errorf("%s: %v", id, v.Findings)
		}
		r, err := report.Open(ctx, dst, d.Key+report.ManifestName)
		w.must(err)
		for row, err := range r.Rows(ctx) {
			w.must(err)
			if row.Change.Sequence <= last {
				w.t.Errorf("%s: change %d of window %s comes after %d", id, row.Change.Sequence, d.Key, last)
			}
			last = row.Change.Sequence
		}
		windows = append(windows, r)
	}
	for d, err := range report.Directories(ctx, dst, at) {
		w.must(err)
		if d.Manifest {
			r, err := report.Open(ctx, dst, d.Key+report.ManifestName)
			w.must(err)
			full = append(full, r)
		}
	}
	final := full[len(full)-1]
	for i, r := range full[:len(full)-1] {
		a, err := report.Apply(ctx, r, windows, report.ApplyOptions{Memory: cmp.Or(w.memory, 1<<(7+i%8)), Folder: w.t.TempDir()})
		if errors.Is(err, report.ErrNotJoined) && r.Summary.Journal != nil && !slices.ContainsFunc(windows, func(x *report.Report) bool {
			return x.Summary.Window.Until.Sequence > r.Summary.Journal.Sequence
		}) {
			continue // nothing has changed since
		}
		if err != nil {
			w.t.Errorf("%s: %s: %v", id, r.Key, err)
			continue
		}
		sum, err := report.Diff(ctx, a.Report(), final, report.DiffOptions{}, func(c *report.Change) error {
			w.t.Errorf("%s: from %s: %s %+v %+v", id, r.Key, c.Kind, c.Old, c.New)
			return nil
		})
		w.must(errors.Join(err, a.Close()))
		if !sum.Equal() {
			return windows, joined
		}
		joined++
	}
	if joined == 0 && last > 0 && len(full) > 2 {
		w.t.Errorf("%s: none of %d full reports was brought forward", id, len(full))
	}
	return windows, joined
}

// chaos fails a destination, or ends the process at one of its operations.
type chaos struct {
	failing atomic.Bool

	mu   sync.Mutex
	left int  // operations until the process ends; 0: it does not end
	dead bool // every operation fails
	stop context.CancelFunc
}

func (c *chaos) begin(stop context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.dead, c.stop = 0, false, stop
}

// die ends the process after a number of operations; 0: never.
func (c *chaos) die(after int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = after
}

var errChaos = errors.New("the store does not answer")

// op returns an error if an operation fails.
func (c *chaos) op() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left > 0 && !c.dead {
		if c.left--; c.left == 0 {
			c.dead = true
			c.stop()
		}
	}
	if c.dead || c.failing.Load() {
		return errChaos
	}
	return nil
}

type chaosStores struct {
	*registry.Registry
	chaos *chaos
}

func (s chaosStores) Destination(ctx context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error) {
	dst, err := s.Registry.Destination(ctx, cfg)
	return chaosDestination{dst, s.chaos}, err
}

type chaosDestination struct {
	engine.Destination
	chaos *chaos
}

func (d chaosDestination) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	if err := d.chaos.op(); err != nil {
		return nil, err
	}
	f, err := d.Destination.Create(ctx, key, opts)
	return chaosFile{f, d.chaos}, err
}

func (d chaosDestination) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := d.chaos.op(); err != nil {
		return nil, err
	}
	return d.Destination.Open(ctx, key)
}

func (d chaosDestination) Remove(ctx context.Context, key string) error {
	if err := d.chaos.op(); err != nil {
		return err
	}
	return d.Destination.Remove(ctx, key)
}

type chaosFile struct {
	engine.File
	chaos *chaos
}

// Commit fails either before or after it takes effect.
func (f chaosFile) Commit(ctx context.Context, md5 [16]byte) error {
	if err := f.chaos.op(); err != nil {
		return err
	}
	return errors.Join(f.File.Commit(ctx, md5), f.chaos.op())
}
