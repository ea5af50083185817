package cluster_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/keygen"
	"github.com/stocktake/stocktake/internal/largerun"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/runner/cluster"
	"github.com/stocktake/stocktake/internal/runner/local"
	"github.com/stocktake/stocktake/internal/s3bucket"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/report"
)

var (
	server   *testpostgres.Server
	migrated string
)

func TestMain(m *testing.M) {
	os.Exit(testpostgres.Main(m, func(s *testpostgres.Server) { server = s }, "max_connections=300"))
}

// A world is a database, a bucket far away and a folder for reports, which several
// processes share.
type world struct {
	t       *testing.T
	address string
	far     *farstore.Store
	url     string
	reports string
	rows    int64

	stores []cluster.Store  // with limits, of the next process
	lease  time.Duration    // of runs; 0: 10 s
	watch  time.Duration    // how often holders look at their runs; 0: 50 ms
	large  *largerun.Bucket // is listed instead, with results that are made up; nil: none
	store  string           // of the bucket; empty: runs of it are taken one by one
	login  string           // how all roles list it; empty: no two runs share a listing

	broken atomic.Bool // the source refuses its role
	away   atomic.Bool // the source does not answer

	unavailable atomic.Bool // the database does not tell the credentials for the source

	before func() // is called before the next process serves
	idle   bool   // the next process makes no runs

	refuses atomic.Pointer[func(configuration string) error] // why a file cannot be written
}

func newWorld(t *testing.T, shape string, rows int64) *world {
	t.Helper()
	if server == nil {
		t.Skip(testpostgres.ErrMissing)
	}
	if migrated == "" {
		migrated = server.Database(t)
		cfg, err := postgres.Parse(migrated)
		if err != nil {
			t.Fatal(err)
		}
		if err := postgres.Migrate(t.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := keygen.New(shape, rows)
	if err != nil {
		t.Fatal(err)
	}
	far := &farstore.Store{Bucket: b, Latency: 100 * time.Millisecond}
	s := httptest.NewServer(far)
	t.Cleanup(s.Close)
	return &world{t: t, address: server.Copy(t, migrated), far: far, url: s.URL, reports: t.TempDir(), rows: rows}
}

// Source implements cluster's and the local runner's Stores.
func (w *world) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	if w.large != nil {
		return w.large, nil
	}
	if w.broken.Load() {
		return nil, fmt.Errorf("the role: %w", stocktake.ErrAccessDenied)
	}
	if w.away.Load() {
		return nil, &remote.UnansweredError{Err: errors.New("the store is away")}
	}
	if w.unavailable.Load() {
		return nil, fmt.Errorf("read the credentials: %w", object.ErrUnavailable)
	}
	s, err := s3bucket.New(remote.Options{
		Endpoint: w.url, Addressing: remote.PathStyle, Requests: 4,
		Credentials: remote.Static(remote.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"}),
	})
	if err != nil {
		return nil, err
	}
	return s.Source(), nil
}

// Destination returns the folder of reports.
func (w *world) Destination(_ context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error) {
	d, err := dirbucket.Open(w.reports)
	return destination{d, w, cfg.ID}, err
}

// A destination is the folder of reports as the runs of a configuration write it.
type destination struct {
	engine.Destination
	w             *world
	configuration string
}

func (d destination) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	if refuses := d.w.refuses.Load(); refuses != nil {
		if err := (*refuses)(d.configuration); err != nil {
			return nil, err
		}
	}
	return d.Destination.Create(ctx, key, opts)
}

// anyBucket reports that every bucket exists in a store of the settings.
type anyBucket struct {
	inventory.Buckets
	store string
}

func (anyBucket) Bucket(_ context.Context, name string) (object.Bucket, error) {
	return object.Bucket{Name: name}, nil
}
func (anyBucket) CheckBucket(context.Context, string) error               { return nil }
func (b anyBucket) StoreOf(string) string                                 { return b.store }
func (anyBucket) Notes(string, []stocktake.Field, int64) (notes []string) { return nil }

// A process is one of several that share a world.
type process struct {
	*inventory.Service
	runner  *cluster.Runner
	catalog *postgres.Catalog
	stop    func() // as SIGTERM does; waits
}

// start starts a process. slots is how many slices it scans at once; 0: it only
// holds runs.
func (w *world) start(name, address string, slots int) *process {
	w.t.Helper()
	cfg, err := postgres.Parse(address)
	if err != nil {
		w.t.Fatal(err)
	}
	cat, err := postgres.Open(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil)).With("process", name)
	var scan func(context.Context, engine.Source, engine.Destination, engine.Job, engine.Slice, engine.Options) ([]engine.SliceResult, error)
	if w.large != nil {
		scan = w.large.ScanSlice
	}
	machine := stocktake.Machine{ID: uuid.NewString(), Name: name, Roles: []string{"worker", "scheduler"}, Version: "v1"}
	run, err := cluster.New(cat.Database(), cat, &local.Runner{Stores: w, Options: engine.Options{Log: log, MinSegment: 500}}, cluster.Options{
		Slots: slots, Machine: machine, Schedules: true, Stores: w.stores, Scan: scan, Slice: 400 * time.Millisecond, Least: 50 * time.Millisecond, Lease: 2 * time.Second,
		Beat: 100 * time.Millisecond, Sweep: 200 * time.Millisecond, Watch: cmp.Or(w.watch, 50*time.Millisecond),
		Gather: 300 * time.Millisecond, Log: log,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := inventory.New(w.t.Context(), cat, anyBucket{store: w.store}, run, inventory.Options{Shared: true, Machine: machine, Schedules: run.Schedules, NoRuns: w.idle, Poll: 50 * time.Millisecond, MaxRuns: 2, Lease: cmp.Or(w.lease, 10*time.Second), AnyDestination: true, Log: log})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 2)
	if w.before != nil {
		w.before()
	}
	go func() { ended <- run.Serve(ctx) }()
	go func() { ended <- s.Serve(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				w.t.Errorf("%s: %v", name, err)
			}
		}
		if err := cat.Close(); err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(stop)
	return &process{s, run, cat, stop}
}

func (w *world) configuration(id, prefix string) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: id, IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Weekly}, IncludedObjectVersions: stocktake.CurrentVersions,
		Filter:         stocktake.Filter{Prefix: prefix},
		OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldETag},
		Destination:    stocktake.Destination{Format: "CSV", AccountID: "1000000000000000", RoleARN: "acs:ram::1000000000000000:role/r", Bucket: "reports", Prefix: "inv"},
	}
}

// put puts a configuration, whose first run begins, and returns the id of that.
func (w *world) put(p *process, id, prefix string) string {
	w.t.Helper()
	if err := p.Put(w.t.Context(), "photos", w.configuration(id, prefix)); err != nil {
		w.t.Fatal(err)
	}
	runs, err := p.Runs(w.t.Context(), "photos", id)
	if err != nil || len(runs) != 1 {
		w.t.Fatalf("%+v, %v", runs, err)
	}
	return runs[0].ID
}

// until waits for a condition. The test's own limit of time is the only one.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for !holds() {
		if w.t.Context().Err() != nil {
			w.t.Fatalf("%s: the test has ended", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ended waits for the end of a run.
func (w *world) ended(p *process, run string) (r stocktake.Run) {
	w.t.Helper()
	w.until("the end of the run", func() bool {
		var err error
		if r, err = p.catalog.Run(w.t.Context(), run); err != nil {
			w.t.Fatal(err)
		}
		return r.State.Ended()
	})
	return r
}

// files returns the files below the folder of reports. Processes may remove some of them
// meanwhile, and empty folders with them.
func (w *world) files() (files []string) {
	err := filepath.WalkDir(w.reports, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(w.reports, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return files
}

// checkReport checks that a run has left one report with all rows, each once and in
// order, and no other file.
func (w *world) checkReport(r stocktake.Run) {
	w.t.Helper()
	if r.State != stocktake.Succeeded || r.Listed != w.rows {
		w.t.Fatalf("%+v", r)
	}
	dst, err := dirbucket.Open(w.reports)
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := report.Verify(w.t.Context(), dst, r.Manifest, report.VerifyOptions{})
	if err != nil || !v.OK || v.Rows != w.rows {
		w.t.Fatalf("%+v, %v", v, err)
	}
	rep, err := report.Open(w.t.Context(), dst, r.Manifest)
	if err != nil {
		w.t.Fatal(err)
	}
	named := map[string]bool{}
	for _, f := range rep.Manifest.Files {
		named[f.Key] = true
	}
	for _, f := range w.files() {
		if strings.Contains(f, "/data/") && !named[f] {
			w.t.Errorf("%s is in no manifest", f)
		}
	}
	if n := len(slices.DeleteFunc(w.files(), func(f string) bool { return !strings.HasSuffix(f, "/manifest.json") })); n != 1 {
		w.t.Errorf("%d manifests", n)
	}
}

// query returns the values of a column.
func (w *world) query(p *process, text string, args ...any) (values []string) {
	w.t.Helper()
	rows, err := p.catalog.Database().Pool().Query(w.t.Context(), text, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			w.t.Fatal(err)
		}
		values = append(values, v)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return values
}

// ListingKey implements cluster's and the local runner's Stores.
func (w *world) ListingKey(string, *stocktake.InventoryConfiguration) string { return w.login }
