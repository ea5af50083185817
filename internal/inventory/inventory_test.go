package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/object"
)

// emptyCatalog is an empty catalog to copy, which is faster than creating one.
var emptyCatalog []byte

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "inventory")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "catalog.db")
	c, err := sqlite.Open(context.Background(), path)
	if err != nil {
		panic(err)
	}
	if err := c.Close(); err != nil {
		panic(err)
	}
	if emptyCatalog, err = os.ReadFile(path); err != nil {
		panic(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// buckets are the buckets of a test's world.
type buckets struct {
	mu          sync.Mutex
	all         map[string]object.Bucket
	unreachable map[string]error // why the store of a bucket cannot be reached
}

// quiet discards log lines.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

const account = "1000000000000000"

func newBuckets(names ...string) *buckets {
	b := &buckets{all: map[string]object.Bucket{}}
	for _, name := range append(names, "reports") {
		b.all[name] = object.Bucket{Owner: account, Region: "cn-hangzhou"}
	}
	return b
}

func (b *buckets) Bucket(_ context.Context, name string) (object.Bucket, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	got, ok := b.all[name]
	if !ok {
		return got, stocktake.ErrNoSuchBucket
	}
	return got, nil
}

func (b *buckets) CheckBucket(ctx context.Context, name string) error {
	if _, err := b.Bucket(ctx, name); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unreachable[name]
}

func (b *buckets) Notes(string, []stocktake.Field, int64) []string { return nil }

func (b *buckets) StoreOf(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all[name].Store
}

// moveTo moves buckets to a store of the settings, which answers err.
func (b *buckets) moveTo(store string, err error, names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		state := b.all[name]
		state.Store = store
		b.all[name] = state
		if b.unreachable == nil {
			b.unreachable = map[string]error{}
		}
		b.unreachable[name] = err
	}
}

func (b *buckets) delete(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, name)
}

// runner is a Runner whose runs do what the test says.
type runner struct {
	mu    sync.Mutex
	tasks []inventory.Task
	clean []string
	do    func(ctx context.Context, t inventory.Task) (inventory.Outcome, error) // nil: publish at once
}

func (r *runner) Run(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	r.mu.Lock()
	r.tasks = append(r.tasks, t)
	do := r.do
	r.mu.Unlock()
	if do == nil {
		do = publish
	}
	return do(ctx, t)
}

func (r *runner) Clean(_ context.Context, t inventory.Task) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clean = append(r.clean, t.Run.ID)
	return nil
}

func (r *runner) set(do func(ctx context.Context, t inventory.Task) (inventory.Outcome, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.do = do
}

func (r *runner) runs() []inventory.Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]inventory.Task(nil), r.tasks...)
}

// done is the outcome of a run that publishes.
var done = inventory.Outcome{
	Progress: stocktake.Progress{Listed: 10, Matched: 9, Bytes: 8, Written: 7, Shards: 1},
	Manifest: "manifest.json",
}

// record is what a run does before it publishes.
func record(ctx context.Context, t inventory.Task) error {
	_, err := t.Record(ctx, fmt.Appendf(nil, "report of %s", t.Run.ID))
	return err
}

func publish(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	if err := record(ctx, t); err != nil {
		return inventory.Outcome{}, err
	}
	return done, nil
}

// hang is a run that lasts until its context ends.
func hang(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	t.Follow(func() stocktake.Progress { return stocktake.Progress{Listed: 5, Key: "k"} })
	<-ctx.Done()
	return inventory.Outcome{}, ctx.Err()
}

// A world is a service with its catalog, buckets and clock.
type world struct {
	t       *testing.T
	path    string
	catalog *sqlite.Catalog
	buckets *buckets
	runner  *runner
	engine  inventory.Runner // instead of runner, unless nil
	ended   ended            // of newEngineWorld
	opts    inventory.Options
	wrap    func(inventory.Catalog) inventory.Catalog // nil: none
	*inventory.Service

	stop   context.CancelFunc
	served chan error
}

func newWorld(t *testing.T, opts inventory.Options) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "catalog.db"), buckets: newBuckets("photos", "logs"), runner: &runner{}, opts: opts}
	if err := os.WriteFile(w.path, emptyCatalog, 0o600); err != nil {
		t.Fatal(err)
	}
	if w.opts.Log == nil {
		w.opts.Log = quiet
	}
	w.open()
	t.Cleanup(w.close)
	return w
}

// open opens the catalog and makes the service.
func (w *world) open() {
	w.t.Helper()
	if err := w.tryOpen(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tryOpen() (err error) {
	if w.catalog, err = sqlite.Open(w.t.Context(), w.path); err != nil {
		return err
	}
	var c inventory.Catalog = w.catalog
	if w.wrap != nil {
		c = w.wrap(c)
	}
	r := w.engine
	if r == nil {
		r = w.runner
	}
	w.Service, err = inventory.New(w.t.Context(), c, w.buckets, r, w.opts)
	return err
}

// serve starts Serve.
func (w *world) serve() {
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.served = stop, make(chan error, 1)
	go func() { w.served <- w.Serve(ctx) }()
}

// close stops Serve and closes the catalog.
func (w *world) close() {
	w.t.Helper()
	if w.stop != nil {
		w.stop()
		if err := <-w.served; err != nil {
			w.t.Error(err)
		}
		w.stop = nil
	}
	if w.catalog != nil {
		if err := w.catalog.Close(); err != nil {
			w.t.Error(err)
		}
		w.catalog = nil
	}
}

func (w *world) put(bucket string, cfg stocktake.InventoryConfiguration) {
	w.t.Helper()
	if err := w.Put(w.t.Context(), bucket, cfg); err != nil {
		w.t.Fatal(err)
	}
}

// history returns the states of the runs, newest first.
func (w *world) history(bucket, id string) (states []stocktake.RunState) {
	w.t.Helper()
	runs, err := w.Runs(w.t.Context(), bucket, id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range runs {
		states = append(states, r.State)
	}
	return states
}

func (w *world) status(bucket, id string) stocktake.InventoryStatus {
	w.t.Helper()
	st, err := w.Status(w.t.Context(), bucket, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return st[0]
}

func configuration(id string, s stocktake.Schedule) stocktake.InventoryConfiguration {
	cfg := catalogtest.Configuration(id)
	cfg.Schedule = s
	return cfg
}

var daily = stocktake.Schedule{Frequency: stocktake.Daily}

func TestFirstRunAtOnceThenEveryMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		w.put("photos", configuration("daily", daily))
		synctest.Wait() // no time has passed
		st := w.status("photos", "daily")
		if st.Last == nil || st.Last.State != stocktake.Succeeded || st.Last.Listed != 10 || st.Last.Manifest != "manifest.json" {
			t.Fatalf("after the put: %+v, want a run that has succeeded", st.Last)
		}
		if want := time.Date(2000, 1, 1, 16, 0, 0, 0, time.UTC); !st.Next.Equal(want) {
			t.Errorf("next %v, want %v", st.Next, want)
		}
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		if got := len(w.runner.runs()); got != 1+3 {
			t.Errorf("%d runs in three days, want 4", got)
		}
		w.close()
	})
}

func TestInterruptedRunStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.runner.set(hang)
		w.serve()
		w.put("photos", configuration("daily", daily))
		synctest.Wait()
		if st := w.status("photos", "daily"); st.Last.State != stocktake.Scanning || st.Last.Listed != 5 || st.Last.Key != "k" {
			t.Fatalf("while it goes: %+v", st.Last)
		}
		w.close()

		w.runner.set(nil)
		w.open()
		w.serve()
		synctest.Wait()
		tasks := w.runner.runs()
		if len(tasks) != 2 || tasks[0].Run.ID != tasks[1].Run.ID || tasks[1].Run.Attempt != 2 {
			t.Fatalf("attempts %+v, want two of one run", tasks)
		}
		if st := w.status("photos", "daily"); st.Last.State != stocktake.Succeeded || st.Last.Attempt != 2 {
			t.Errorf("after the restart: %+v", st.Last)
		}
		w.close()
	})
}

func TestDeleteEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		published := false
		w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
			<-ctx.Done()
			// A runner that ignores the end of its context gets the error from Publish.
			err := record(context.WithoutCancel(ctx), task)
			published = err == nil
			return inventory.Outcome{}, err
		})
		w.serve()
		w.put("photos", configuration("daily", daily))
		synctest.Wait()
		if err := w.Delete(t.Context(), "photos", "daily"); err != nil {
			t.Fatal(err)
		}
		if published {
			t.Error("a run of a deleted configuration was allowed to publish")
		}
		if _, err := w.Runs(t.Context(), "photos", "daily"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("runs of a deleted configuration: %v", err)
		}
		w.close()
	})
}
