package inventory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/runner/local"
)

// memory are the stores of a test in memory.
type memory struct{ *membucket.Store }

func (m memory) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	return m.Store, nil
}

func (m memory) Destination(_ context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error) {
	if b := m.Bucket(cfg.Destination.Bucket); b != nil {
		return b, nil
	}
	return nil, stocktake.ErrNoSuchBucket
}

func (memory) ListingKey(string, *stocktake.InventoryConfiguration) string { return "" }

func newMemory(objects int) memory {
	m := memory{membucket.New(nil, "photos", "reports")}
	records := make([]stocktake.Record, objects)
	for i := range records {
		records[i] = stocktake.Record{Key: fmt.Appendf(nil, "猫/ <&>%06d", i), Size: 1, IsLatest: true, LastModified: 1_700_000_000}
	}
	m.Bucket("photos").Load(records...)
	return m
}

func (m memory) keys(t *testing.T) (keys []string) {
	t.Helper()
	for key, err := range m.Bucket("reports").List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// ended is an Observer that sends the runs that have ended.
type ended chan stocktake.Run

func (e ended) RunChanged(r stocktake.Run) {
	if r.State.Ended() {
		e <- r
	}
}

func newEngineWorld(t *testing.T, m memory, opts engine.Options) *world {
	w := &world{t: t, path: t.TempDir() + "/catalog.db", buckets: newBuckets("photos", "logs")}
	w.ended = make(ended, 10)
	w.opts.Log, w.opts.Observer, opts.Log = quiet, w.ended, quiet
	w.engine = &local.Runner{Stores: m, Options: opts}
	w.open()
	t.Cleanup(w.close)
	return w
}

func TestFromPutToManifest(t *testing.T) {
	m := newMemory(1000)
	w := newEngineWorld(t, m, engine.Options{})
	w.serve()
	begun := time.Now()
	w.put("photos", configuration("daily", daily))
	run := <-w.ended
	if took := time.Since(begun); took > time.Second {
		t.Errorf("from put to manifest: %v, want below 1s", took)
	} else {
		t.Log("from put to manifest:", took)
	}
	if run.State != stocktake.Succeeded || run.Listed != 1000 || run.Matched != 1000 || run.Shards != 1 || run.Written == 0 || run.Bytes != 1000 {
		t.Fatalf("run %+v", run)
	}
	body, err := m.Bucket("reports").Open(t.Context(), run.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	var manifest stocktake.Manifest
	if err := errors.Join(json.NewDecoder(body).Decode(&manifest), body.Close()); err != nil || len(manifest.Files) != run.Shards {
		t.Errorf("manifest %+v, %v", manifest, err)
	}
	if err := w.Delete(t.Context(), "photos", "daily"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Bucket("reports").Open(t.Context(), run.Manifest); err != nil {
		t.Errorf("the report after the configuration was deleted: %v", err)
	}
}

// TestDeletedAtEachStep deletes the configuration at each step of its run. After the
// deletion has returned, a whole report exists or nothing.
func TestDeletedAtEachStep(t *testing.T) {
	steps := []engine.Step{
		engine.Recovered, engine.Planned, engine.ShardCreated, engine.ShardCommitted, engine.Scanned,
		engine.Recorded, engine.SummaryDone, engine.RollupDone, engine.ChecksumDone, engine.SymlinkDone, engine.ManifestDone,
	}
	for i, step := range steps {
		t.Run(string(step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keys := deletedAt(t, step)
				whole := slices.ContainsFunc(keys, func(k string) bool { return strings.HasSuffix(k, "manifest.json") })
				if !whole && len(keys) != 0 {
					t.Errorf("deleted, but there are %q", keys)
				}
				if whole && i < slices.Index(steps, engine.Recorded) {
					t.Errorf("deleted before the run might publish, but there are %q", keys)
				}
			})
		})
	}
}

// deletedAt deletes a configuration at a step of its run and returns the keys that
// the destination then has.
func deletedAt(t *testing.T, step engine.Step) []string {
	m := newMemory(100)
	goOn := make(chan struct{})
	w := newEngineWorld(t, m, engine.Options{Workers: 1, Failpoint: func(s engine.Step) {
		if s == step {
			<-goOn
		}
	}})
	w.serve()
	w.put("photos", configuration("daily", daily))
	synctest.Wait() // the run is at the step
	deleted := make(chan error, 1)
	go func() { deleted <- w.Delete(t.Context(), "photos", "daily") }()
	synctest.Wait() // the catalog has the deletion
	select {
	case err := <-deleted:
		t.Fatalf("the deletion was answered while the run went: %v", err)
	default:
	}
	close(goOn)
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	keys := m.keys(t)
	w.close()
	if after := m.keys(t); !slices.Equal(keys, after) {
		t.Errorf("after the deletion was answered %q became %q", keys, after)
	}
	return keys
}

func TestReasonOfAMissingDestination(t *testing.T) {
	m := newMemory(10)
	w := newEngineWorld(t, m, engine.Options{})
	w.buckets.all["gone"] = w.buckets.all["reports"]
	w.serve()
	cfg := configuration("daily", daily)
	cfg.Destination.Bucket = "gone"
	w.put("photos", cfg)
	if run := <-w.ended; run.State != stocktake.Failed || !strings.Contains(run.Reason, "create the bucket") {
		t.Errorf("run %+v", run)
	}
}

// A check writes to the destination as a run would, and leaves nothing. A look at
// the status writes nothing.
func TestCheckProbesTheDestination(t *testing.T) {
	m := newMemory(1)
	w := newEngineWorld(t, m, engine.Options{})
	cfg := configuration("daily", daily)
	w.put("photos", cfg)
	if st, err := w.Check(t.Context(), "photos", "daily"); err != nil || len(st.Warnings) > 0 {
		t.Errorf("%+v, %v", st, err)
	}
	if left := m.keys(t); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	// The service still knows of the bucket, as of one whose store is away.
	w.buckets.all["gone"] = w.buckets.all["reports"]
	cfg = configuration("lost", daily)
	cfg.Destination.Bucket = "gone"
	w.put("photos", cfg)
	if st := w.status("photos", "lost"); len(st.Warnings) > 0 {
		t.Errorf("status: %q", st.Warnings)
	}
	const want = "the destination gone cannot be written: the specified bucket does not exist: create the bucket, or replace the configuration by one with another destination"
	if st, err := w.Check(t.Context(), "photos", "lost"); err != nil || len(st.Warnings) != 1 || st.Warnings[0] != want {
		t.Errorf("check: %q, %v", st.Warnings, err)
	}
	if st, err := w.Retain(t.Context(), "photos", "lost", stocktake.Retention{Days: 1}); err != nil || len(st.Warnings) > 0 {
		t.Errorf("retain: %q, %v", st.Warnings, err)
	}
}
