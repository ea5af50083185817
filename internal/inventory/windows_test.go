package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/runner/local"
	"github.com/stocktake/stocktake/report"
)

// incremental returns a configuration with reports of changes that has one full run.
func incremental(id string) stocktake.InventoryConfiguration {
	cfg := configuration(id, stocktake.Schedule{Frequency: stocktake.Once})
	cfg.IncludedObjectVersions, cfg.Filter = stocktake.AllVersions, stocktake.Filter{}
	cfg.Incremental = &stocktake.IncrementalInventory{
		IsEnabled: true, Frequency: stocktake.IncrementalWindow,
		OptionalFields: []stocktake.Field{stocktake.FieldSequenceNumber, stocktake.FieldRecordTimestamp},
	}
	return cfg
}

// A windowWorld is a world with a journal, whose runs write to memory. The time is
// that of a synctest bubble.
type windowWorld struct {
	*world
	journal *memoryJournal
	memory  memory
}

func newWindowWorld(t *testing.T, opts inventory.Options) *windowWorld {
	m := &windowWorld{journal: newJournal(), memory: memory{membucket.New(nil, "photos", "reports")}}
	m.world = &world{t: t, path: t.TempDir() + "/catalog.db", buckets: newBuckets("photos", "logs"), opts: opts}
	m.opts.Journal, m.opts.Log = m.journal, quiet
	m.engine = &local.Runner{Stores: m.memory, Options: engine.Options{Log: quiet}, Journal: m.journal}
	m.open()
	t.Cleanup(m.close)
	return m
}

func (w *windowWorld) change(key string) { w.journal.make(key, time.Now().UnixMilli()) }

// windows returns the keys of the changes in each report of the configuration, by
// the start of the window.
func (w *windowWorld) windows(id string) (all []string) {
	w.t.Helper()
	dst := w.memory.Bucket("reports")
	at := report.Location{Prefix: incremental(id).Destination.Prefix, Bucket: "photos", Configuration: id}
	for d, err := range report.WindowDirectories(w.t.Context(), dst, at) {
		if err != nil {
			w.t.Fatal(err)
		}
		if !d.Manifest {
			all = append(all, d.Time.Format("15:04:05")+" incomplete")
			continue
		}
		v, err := report.Verify(w.t.Context(), dst, d.Key+report.ManifestName, report.VerifyOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		if !v.OK {
			w.t.Errorf("%s: %v", d.Key, v.Findings)
		}
		r, err := report.Open(w.t.Context(), dst, d.Key+report.ManifestName)
		if err != nil {
			w.t.Fatal(err)
		}
		text := d.Time.Format("15:04:05")
		for row, err := range r.Rows(w.t.Context()) {
			if err != nil {
				w.t.Fatal(err)
			}
			text += " " + string(row.Key)
		}
		all = append(all, text)
	}
	return all
}

func (w *windowWorld) wantWindows(id string, want ...string) {
	w.t.Helper()
	if got := w.windows(id); !slices.Equal(got, want) {
		w.t.Errorf("windows %q, want %q", got, want)
	}
}

// kinds returns the states of the incremental runs, newest first.
func (w *windowWorld) incrementalRuns(id string) (runs []stocktake.Run) {
	w.t.Helper()
	all, err := w.Runs(w.t.Context(), "photos", id)
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(r stocktake.Run) bool { return r.Kind != stocktake.IncrementalRun })
}

// pass lets time pass until everything that falls due is done. Time in a bubble
// begins at midnight, 2000-01-01.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestWindows checks windows with and without changes, and windows that end while the
// server is down.
func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindowWorld(t, inventory.Options{})
		w.serve()
		pass(3 * time.Minute)
		w.change("before")
		w.put("photos", incremental("a"))
		pass(time.Second)
		w.change("a1")
		pass(time.Minute)
		w.change("a2")
		st := w.status("photos", "a").Incremental
		if st == nil || !st.Published.Equal(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) || !st.Next.Equal(time.Date(2000, 1, 1, 0, 10, 0, 0, time.UTC)) || st.Last != nil {
			t.Errorf("status %+v", st)
		}
		w.wantWindows("a")
		pass(6 * time.Minute)
		w.wantWindows("a", "00:00:00 a1 a2")
		runs := w.incrementalRuns("a")
		if len(runs) != 1 || runs[0].State != stocktake.Succeeded || runs[0].Matched != 2 || runs[0].Window.End.Sub(runs[0].Window.Start) != 10*time.Minute || !runs[0].Due.Equal(runs[0].Window.End) {
			t.Errorf("runs %+v", runs)
		}
		pass(22 * time.Minute) // 00:32, two windows without changes
		w.wantWindows("a", "00:00:00 a1 a2")
		w.change("b")
		w.close()
		pass(24 * time.Minute) // 00:56
		w.change("c")
		pass(24 * time.Minute) // 01:20
		w.open()
		w.serve()
		synctest.Wait()
		w.wantWindows("a", "00:00:00 a1 a2", "00:30:00 b", "00:50:00 c")
		st = w.status("photos", "a").Incremental
		if !st.Published.Equal(time.Date(2000, 1, 1, 1, 20, 0, 0, time.UTC)) || st.Last == nil || st.Last.Matched != 1 {
			t.Errorf("status %+v", st)
		}
		if n := len(w.incrementalRuns("a")); n != 5 { // 00:00, 00:10, 00:20, 00:30, 00:50
			t.Errorf("%d runs of windows", n)
		}
	})
}

// A window whose run fails is tried again when the next one ends. Both are published,
// in order; nothing is lost or published twice.
func TestWindowFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindowWorld(t, inventory.Options{LateAfter: 15 * time.Minute})
		w.serve()
		w.put("photos", incremental("a"))
		synctest.Wait()
		w.change("a")
		w.journal.fail(errors.New("the index is damaged"))
		pass(10 * time.Minute)
		w.change("b")
		runs := w.incrementalRuns("a")
		if len(runs) != 1 || runs[0].State != stocktake.Failed || !strings.Contains(runs[0].Reason, "damaged") {
			t.Fatalf("runs %+v", runs)
		}
		pass(10 * time.Minute)
		if behind, ok := w.WindowBehind(w.status("photos", "a").Incremental.Published); behind != 10*time.Minute || !ok {
			t.Errorf("behind by %v, %v", behind, ok)
		}
		if behind, _ := w.WindowBehind(time.Now()); behind != 0 {
			t.Errorf("behind by %v with a window that has not ended", behind)
		}
		w.change("c")
		if n := len(w.incrementalRuns("a")); n != 2 {
			t.Errorf("%d runs", n)
		}
		w.wantWindows("a")
		w.journal.fail(nil)
		pass(10 * time.Minute)
		w.wantWindows("a", "00:00:00 a", "00:10:00 b", "00:20:00 c")
		runs = w.incrementalRuns("a")
		if len(runs) != 5 || !runs[2].Late || !runs[2].Due.Equal(time.Date(2000, 1, 1, 0, 10, 0, 0, time.UTC)) || runs[0].Late {
			t.Errorf("runs %+v", runs)
		}
	})
}

// breaking is a destination that fails when the manifest is committed: either nothing
// is written, or the manifest is written and the answer is lost.
type breaking struct {
	memory
	lost bool
	fail atomic.Bool
}

func (b *breaking) Destination(ctx context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error) {
	dst, err := b.memory.Destination(ctx, cfg)
	return breakingDestination{dst, b}, err
}

type breakingDestination struct {
	engine.Destination
	b *breaking
}

func (d breakingDestination) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	f, err := d.Destination.Create(ctx, key, opts)
	return breakingFile{f, d.b, strings.Contains(key, "incremental_inventory") && strings.HasSuffix(key, report.ManifestName)}, err
}

type breakingFile struct {
	engine.File
	b        *breaking
	manifest bool
}

func (f breakingFile) Commit(ctx context.Context, sum [16]byte) error {
	if !f.manifest || !f.b.fail.Load() {
		return f.File.Commit(ctx, sum)
	}
	err := errors.New("the store does not answer")
	if f.b.lost {
		err = errors.Join(err, f.File.Commit(ctx, sum))
	}
	return err
}

// The next run publishes what the failed run has recorded, whether its manifest was
// visible or not.
func TestRecordedWindow(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("lost=", lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWindowWorld(t, inventory.Options{})
				b := &breaking{memory: w.memory, lost: lost}
				b.fail.Store(true)
				w.close()
				w.engine.(*local.Runner).Stores = b
				w.open()
				w.serve()
				w.put("photos", incremental("a"))
				synctest.Wait()
				w.change("a")
				pass(10 * time.Minute)
				if runs := w.incrementalRuns("a"); len(runs) != 1 || runs[0].State != stocktake.Failed {
					t.Fatalf("runs %+v", runs)
				}
				files := w.memory.keys(t)
				b.fail.Store(false)
				// The files of the recorded report are published, not others.
				pass(10 * time.Minute)
				w.wantWindows("a", "00:00:00 a")
				for _, key := range files {
					if !slices.Contains(w.memory.keys(t), key) {
						t.Errorf("%s is gone", key)
					}
				}
				if n := len(w.memory.keys(t)) - len(files); n != 1 && !lost || n != 0 && lost {
					t.Errorf("%d more files", n)
				}
			})
		})
	}
}

// TestWindowsAndControls suspends and resumes, cancels, and deletes.
func TestWindowsAndControls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindowWorld(t, inventory.Options{})
		w.serve()
		w.put("photos", incremental("a"))
		w.put("photos", incremental("b"))
		if got := w.journal.ids(); !slices.Equal(got, []string{"photos/a", "photos/b"}) {
			t.Errorf("readers %q", got)
		}
		if err := w.Put(t.Context(), "photos", incremental("a")); !errors.Is(err, stocktake.ErrInventoryExists) || len(w.journal.ids()) != 2 {
			t.Errorf("put again: %v, readers %q", err, w.journal.ids())
		}
		synctest.Wait()
		if _, err := w.Suspend(t.Context(), "photos", "a"); err != nil {
			t.Fatal(err)
		}
		w.change("x")
		pass(25 * time.Minute)
		w.change("y")
		pass(25 * time.Minute)
		w.wantWindows("a")
		w.wantWindows("b", "00:00:00 x", "00:20:00 y")
		if st := w.status("photos", "a").Incremental; !st.Next.IsZero() {
			t.Errorf("status while suspended %+v", st)
		}
		if _, err := w.Resume(t.Context(), "photos", "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.wantWindows("a", "00:00:00 x", "00:20:00 y")

		if err := w.Delete(t.Context(), "photos", "b"); err != nil {
			t.Fatal(err)
		}
		if got := w.journal.ids(); !slices.Equal(got, []string{"photos/a"}) {
			t.Errorf("readers after b was deleted: %q", got)
		}
		w.change("z")
		pass(10 * time.Minute)
		w.wantWindows("b", "00:00:00 x", "00:20:00 y")
		w.wantWindows("a", "00:00:00 x", "00:20:00 y", "00:50:00 z")
		// A configuration that is put again begins at the current position.
		w.put("photos", incremental("b"))
		synctest.Wait()
		w.change("new")
		pass(10 * time.Minute)
		w.wantWindows("b", "00:00:00 x", "00:20:00 y", "01:00:00 new")
	})
}

// A cancelled run of a window is repeated.
func TestCancelledWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindowWorld(t, inventory.Options{})
		w.close()
		w.engine = nil
		w.runner = &runner{}
		w.open()
		w.serve()
		w.put("photos", incremental("a"))
		synctest.Wait()
		w.runner.set(hang)
		pass(10 * time.Minute)
		r, err := w.Cancel(t.Context(), "photos", "a")
		if err != nil || r.State != stocktake.Cancelled || r.Kind != stocktake.IncrementalRun {
			t.Fatalf("%+v, %v", r, err)
		}
		pass(10 * time.Minute)
		tasks := w.runner.runs()
		again := tasks[len(tasks)-1]
		if again.Run.ID == r.ID || again.Run.Window != r.Window || again.Window == nil || again.Recorded != nil {
			t.Errorf("the window does not come again: %+v", again.Run)
		}
		// The process ends during the run: the next one makes another attempt.
		w.close()
		w.runner.set(nil)
		w.open()
		w.serve()
		synctest.Wait()
		if runs := w.incrementalRuns("a"); runs[0].ID != again.Run.ID && runs[1].ID != again.Run.ID {
			t.Errorf("runs %+v", runs)
		}
		for _, r := range w.incrementalRuns("a") {
			if r.ID == again.Run.ID && (r.State != stocktake.Succeeded || r.Attempt != 2) {
				t.Errorf("interrupted run %+v", r)
			}
		}
	})
}

// TestStrayReaders checks that a start ends subscriptions that no configuration has.
func TestStrayReaders(t *testing.T) {
	runs := make(ended, 10)
	w := newWindowWorld(t, inventory.Options{Observer: runs})
	w.put("photos", incremental("a"))
	for _, id := range []string{"gone", "full"} {
		if _, err := w.journal.Subscribe(t.Context(), "photos", id, ""); err != nil {
			t.Fatal(err)
		}
	}
	w.put("photos", configuration("full", daily))
	w.close()
	w.open()
	if got := w.journal.ids(); !slices.Equal(got, []string{"photos/a"}) {
		t.Errorf("readers %q", got)
	}
	// A configuration that removes itself unsubscribes.
	w.serve()
	cfg := incremental("once")
	cfg.Schedule.AutoDelete = new(true)
	w.put("photos", cfg)
	for r := range runs {
		if r.Configuration == "once" {
			break
		}
	}
	if got := w.journal.ids(); !slices.Equal(got, []string{"photos/a"}) {
		t.Errorf("readers after a configuration has removed itself: %q", got)
	}
}

// TestIncrementalIsRefused checks which configurations have no reports of changes.
func TestIncrementalIsRefused(t *testing.T) {
	w := newWindowWorld(t, inventory.Options{})
	w.buckets.all["far"] = object.Bucket{Owner: account, Region: "cn-hangzhou", Store: "ceph"}
	err := w.Put(t.Context(), "far", incremental("a"))
	var why *stocktake.IncrementalDisabledError
	if !errors.Is(err, stocktake.ErrIncrementalDisabled) || !errors.As(err, &why) || !strings.Contains(why.Reason, "ceph") {
		t.Errorf("a bucket of another store: %v", err)
	}
	cfg := incremental("a")
	cfg.Incremental.IsEnabled = false
	w.put("far", cfg)
	cfg = incremental("b")
	cfg.IsEnabled = false
	w.put("photos", cfg)
	if got := w.journal.ids(); len(got) > 0 {
		t.Errorf("readers %q", got)
	}
	// If incremental reports are switched off, existing configurations wait and warn.
	w.put("photos", incremental("c"))
	w.close()
	w.opts.Journal = nil
	w.open()
	w.serve()
	st := w.status("photos", "c")
	if len(st.Warnings) == 0 || st.Incremental == nil || !st.Incremental.Next.IsZero() {
		t.Errorf("status %+v", st)
	}
	if err := w.Put(t.Context(), "photos", incremental("d")); err != stocktake.ErrIncrementalDisabled {
		t.Errorf("%v", err)
	}
}
