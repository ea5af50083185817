package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/report"
)

// newListings returns a world in which runs of a bucket share listings, and a process that makes
// no runs.
func newListings(t *testing.T, shape string, rows int64) (*world, *process) {
	t.Helper()
	w := newWorld(t, shape, rows)
	w.store, w.login = "far", "default"
	w.idle = true
	api := w.start("api", w.address, 0)
	w.idle = false
	return w, api
}

// due puts configurations, whose runs wait for a process that makes them, and returns the ids
// of these.
func (w *world) due(api *process, configurations ...stocktake.InventoryConfiguration) (runs []string) {
	w.t.Helper()
	for _, cfg := range configurations {
		if err := api.Put(w.t.Context(), "photos", cfg); err != nil {
			w.t.Fatal(err)
		}
		all, err := api.Runs(w.t.Context(), "photos", cfg.ID)
		if err != nil || len(all) != 1 {
			w.t.Fatalf("%+v, %v", all, err)
		}
		runs = append(runs, all[0].ID)
	}
	return runs
}

// several returns n configurations of the whole bucket.
func (w *world) several(n int) (all []stocktake.InventoryConfiguration) {
	for i := range n {
		all = append(all, w.configuration(fmt.Sprint("c", i), ""))
	}
	return all
}

// matching returns how many records of the bucket a configuration selects.
func (w *world) matching(cfg *stocktake.InventoryConfiguration) (n int64) {
	m := stocktake.NewMatcher(cfg.Filter, false)
	var r stocktake.Record
	for i := range w.rows {
		if w.far.Bucket.Fill(&r, i); m.Match(&r) {
			n++
		}
	}
	return n
}

// checkReports checks that each run has left one report with all matching rows, and
// that there is no other file.
func (w *world) checkReports(p *process, runs []string, configurations []stocktake.InventoryConfiguration) {
	w.t.Helper()
	dst, err := dirbucket.Open(w.reports)
	if err != nil {
		w.t.Fatal(err)
	}
	named := map[string]bool{}
	for i, id := range runs {
		r := w.ended(p, id)
		if r.State != stocktake.Succeeded {
			w.t.Fatalf("%+v", r)
		}
		v, err := report.Verify(w.t.Context(), dst, r.Manifest, report.VerifyOptions{})
		if want := w.matching(&configurations[i]); err != nil || !v.OK || v.Rows != want || r.Matched != want {
			w.t.Fatalf("%+v, %v, want %d rows; %+v", v, err, want, r)
		}
		rep, err := report.Open(w.t.Context(), dst, r.Manifest)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range rep.Manifest.Files {
			named[f.Key] = true
		}
	}
	for _, f := range w.files() {
		if strings.Contains(f, "/data/") && !named[f] {
			w.t.Errorf("%s is in no manifest", f)
		}
	}
	if n := len(slices.DeleteFunc(w.files(), func(f string) bool { return !strings.HasSuffix(f, "/manifest.json") })); n != len(runs) {
		w.t.Errorf("%d manifests of %d runs", n, len(runs))
	}
}

// listed waits until n slices of listings are done.
func (w *world) listed(p *process, n int) {
	w.t.Helper()
	w.until("slices of the listing", func() bool {
		return len(w.query(p, `SELECT id::text FROM tasks WHERE listing IS NOT NULL AND kind = 'slice' AND done = 1`)) >= n
	})
}

// forgotten waits until nothing of runs that have ended is left in the database.
func (w *world) forgotten(p *process) {
	w.t.Helper()
	w.until("the work to be forgotten", func() bool {
		return len(w.query(p, `SELECT run FROM works UNION ALL SELECT kind FROM tasks UNION ALL SELECT id FROM listings`)) == 0
	})
}

// Configurations of a bucket that are due together share one listing, no matter which
// processes hold their runs and which scan: each has its own report, with the
// requests of one.
func TestListingShared(t *testing.T) {
	alone, api := newListings(t, "hashed", 30_000)
	one := alone.several(1)
	run := alone.due(api, one...)
	alone.start("one", alone.address, 2)
	alone.checkReports(api, run, one)
	single := alone.far.Stats().Pages

	w, api := newListings(t, "hashed", 30_000)
	all := w.several(7)
	all[1].Filter.Prefix = "7"
	all[2].Filter.Prefix, all[2].Filter.LowerSizeBound = "7a", 1<<12
	all[3].OptionalFields, all[3].Destination.Prefix = nil, "other"
	all[4].IncludedObjectVersions = stocktake.AllVersions
	all[5].Destination.Format = "Parquet"
	all[6].Filter.Prefix = "nothing begins with this"
	runs := w.due(api, all...)
	last, cfg := runs[6], all[6]
	runs, all = runs[:6], all[:6]
	w.start("a", w.address, 2)
	w.start("b", w.address, 2)
	w.start("holder", w.address, 0)
	w.checkReports(api, runs, all)
	if r := w.ended(api, last); r.State != stocktake.Succeeded || r.Manifest != "" {
		t.Errorf("%+v of %s", r, cfg.ID)
	}
	pages := w.far.Stats().Pages
	t.Logf("%d pages for %d reports, %d for one", pages, len(runs)+1, single)
	if pages > single+single/2 {
		t.Errorf("%d pages for %d reports, %d for one", pages, len(runs)+1, single)
	}
	w.forgotten(api)
}

// More runs than may share a listing share several. All of them are led at once, though each process
// has two slots: those that share a listing take one.
func TestListingsOfMany(t *testing.T) {
	w, api := newListings(t, "hashed", 2000)
	w.far.Latency = 0
	all := w.several(19)
	runs := w.due(api, all...)
	w.start("a", w.address, 2)
	w.start("b", w.address, 2)
	listings := map[string]bool{}
	w.until("the end of all runs", func() bool {
		for _, id := range w.query(api, `SELECT DISTINCT listing FROM works WHERE listing IS NOT NULL`) {
			listings[id] = true
		}
		return len(w.query(api, `SELECT id FROM runs WHERE ended = 0`)) == 0
	})
	w.checkReports(api, runs, all)
	// A process may take some of them before it sees the others.
	if pages := w.far.Stats().Pages; len(listings) > 4 || pages > 4*4 {
		t.Errorf("%d runs share %d listings, of %d pages of a bucket of two", len(runs), len(listings), pages)
	}
	w.forgotten(api)
}

// A run that is requested alone does not wait for others.
func TestListingOfOne(t *testing.T) {
	w, api := newListings(t, "hashed", 2000)
	all := w.several(1)
	runs := w.due(api, all...)
	holder := w.start("holder", w.address, 0)
	w.until("the work", func() bool { return len(w.query(holder, `SELECT run FROM works`)) > 0 })
	if waits := w.query(holder, `SELECT id FROM listings`); len(waits) > 0 {
		t.Error("it waits for others")
	}
	w.start("worker", w.address, 2)
	w.checkReports(api, runs, all)
}

// One of the runs that share a listing is cancelled, one is deleted with its
// configuration. Their files are removed, and the others do not notice.
func TestListingLeft(t *testing.T) {
	w, api := newListings(t, "flat", 40_000)
	w.far.Latency = 500 * time.Millisecond
	all := w.several(4)
	runs := w.due(api, all...)
	holder := w.start("holder", w.address, 0)
	w.start("worker", w.address, 2)
	w.listed(api, 1)
	if r, err := holder.Cancel(t.Context(), "photos", "c0"); err != nil || r.State != stocktake.Cancelled {
		t.Fatalf("%+v, %v", r, err)
	}
	if files := slices.DeleteFunc(w.files(), func(f string) bool { return !strings.Contains(f, "/c0/") }); len(files) > 0 {
		t.Errorf("the run that was cancelled has left %v", files)
	}
	if err := holder.Delete(t.Context(), "photos", "c1"); err != nil {
		t.Fatal(err)
	}
	w.until("the files to be removed", func() bool {
		return !slices.ContainsFunc(w.files(), func(f string) bool { return strings.Contains(f, "/c1/") })
	})
	w.checkReports(api, runs[2:], all[2:])
	if pages := w.far.Stats().Pages; pages > w.rows/1000*3/2+16 {
		t.Errorf("%d pages of a bucket of %d", pages, w.rows/1000)
	}
	w.forgotten(api)
}

// All runs that share a listing are cancelled: nothing is left, and nothing more is listed.
func TestListingLeftByAll(t *testing.T) {
	w, api := newListings(t, "flat", 50_000)
	w.far.Latency = 1500 * time.Millisecond
	all := w.several(3)
	w.due(api, all...)
	holder := w.start("holder", w.address, 0)
	w.start("worker", w.address, 2)
	w.listed(api, 1)
	for i := range all {
		if r, err := holder.Cancel(t.Context(), "photos", all[i].ID); err != nil || r.State != stocktake.Cancelled {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if files := w.files(); len(files) > 0 {
		t.Errorf("they have left %v", files)
	}
	w.forgotten(api)
}

// The destination of one of the runs fails: permanently, so that the run fails with
// the reason and leaves no files; or once, so that it continues separately. The
// others do not notice.
func TestListingDestinationFails(t *testing.T) {
	for name, times := range map[string]int64{"once": 1, "for good": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			w, api := newListings(t, "hashed", 20_000)
			all := w.several(3)
			all[1].Filter.Prefix = "5"
			runs := w.due(api, all...)
			var failed atomic.Int64
			refuses := func(id string) error {
				if id == "c1" && failed.Add(1) <= times {
					return fmt.Errorf("the folder: %w", stocktake.ErrAccessDenied)
				}
				return nil
			}
			w.refuses.Store(&refuses)
			w.start("a", w.address, 2)
			w.start("b", w.address, 2)
			if times == 1 {
				w.checkReports(api, runs, all)
			} else {
				r := w.ended(api, runs[1])
				if r.State != stocktake.Failed || !strings.Contains(r.Reason, "the folder") {
					t.Errorf("%+v", r)
				}
				w.checkReports(api, []string{runs[0], runs[2]}, []stocktake.InventoryConfiguration{all[0], all[2]})
			}
			if failed.Load() == 0 {
				t.Error("it has not failed")
			}
			w.forgotten(api)
		})
	}
}

// A worker that scans for several runs is cut off from the database and presumed
// dead, and another worker scans its slice. When it is back it changes nothing, and
// its files are removed.
func TestListingWorkerCutOff(t *testing.T) {
	w, api := newListings(t, "hashed", 20_000)
	w.far.Latency = 150 * time.Millisecond
	all := w.several(3)
	runs := w.due(api, all...)
	proxy := server.NewProxy(t)
	holder := w.start("holder", w.address, 0)
	w.start("cut", proxy.Address(t, w.address), 2)
	w.listed(holder, 1)
	w.replaceWorker(holder, proxy)
	w.checkReports(holder, runs, all)
	w.forgotten(holder)
}

// The process that holds all runs of a listing is cut off. The next one continues from
// the state of the listing.
func TestListingHolderCutOff(t *testing.T) {
	w, api := newListings(t, "nested", 20_000)
	w.far.Latency = 150 * time.Millisecond
	all := w.several(3)
	runs := w.due(api, all...)
	proxy := server.NewProxy(t)
	w.start("holder", proxy.Address(t, w.address), 0)
	w.until("a listing", func() bool { return len(w.query(api, `SELECT run FROM works WHERE listing IS NOT NULL`)) == len(runs) })
	next := w.start("next", w.address, 2)
	w.listed(next, 1)
	proxy.Cut()
	for _, id := range runs {
		w.ended(next, id)
	}
	proxy.Mend()
	w.checkReports(next, runs, all)
	if pages := w.far.Stats().Pages; pages > w.rows/1000*2+16 {
		t.Errorf("%d pages of a bucket of %d", pages, w.rows/1000)
	}
}

// A process that ends hands over a slice of several runs with its next page.
func TestListingDrained(t *testing.T) {
	w, api := newListings(t, "dated", 20_000)
	all := w.several(3)
	runs := w.due(api, all...)
	holder := w.start("holder", w.address, 0)
	first := w.start("first", w.address, 2)
	w.listed(holder, 1)
	first.stop()
	if at := w.query(holder, `SELECT host FROM tasks WHERE worker <> '' AND done = 0`); len(at) > 0 {
		t.Errorf("tasks are still at %v", at)
	}
	w.start("second", w.address, 2)
	w.checkReports(holder, runs, all)
}

// The store of a listing is away: its runs are all tried again, and continue where they were.
func TestListingTriedAgain(t *testing.T) {
	w, api := newListings(t, "hashed", 20_000)
	all := w.several(3)
	all[2].Filter.Prefix = "c"
	runs := w.due(api, all...)
	w.start("holder", w.address, 0)
	w.start("worker", w.address, 2)
	w.listed(api, 2)
	w.away.Store(true)
	w.until("the failure of all", func() bool {
		w.query(api, `UPDATE tasks SET due = 0 WHERE due > 0 AND done = 0 RETURNING id::text`)
		return len(w.query(api, `SELECT id FROM runs WHERE ended = 0 AND owner = 'postponed'`)) == len(runs)
	})
	if files := w.files(); len(files) == 0 {
		t.Error("what was scanned is gone")
	}
	w.away.Store(false)
	w.query(api, `UPDATE runs SET lease = 1 RETURNING id`) // a minute has passed
	w.checkReports(api, runs, all)
	w.forgotten(api)
}

// The role of a listing has lost its rights: all runs fail, and leave nothing.
func TestListingFails(t *testing.T) {
	w, api := newListings(t, "hashed", 20_000)
	all := w.several(3)
	runs := w.due(api, all...)
	w.start("holder", w.address, 0)
	w.start("worker", w.address, 2)
	w.listed(api, 1)
	w.broken.Store(true)
	for _, id := range runs {
		if r := w.ended(api, id); r.State != stocktake.Failed || !strings.Contains(r.Reason, "the role") {
			t.Errorf("%+v", r)
		}
	}
	w.until("the files to be removed", func() bool { return len(w.files()) == 0 })
	w.forgotten(api)
}

// A process of an earlier version, which does not know listings, stops a run that
// shares one, and another process reopens the run. The run has missed slices, which
// it scans separately.
func TestListingOfEarlierVersion(t *testing.T) {
	w, api := newListings(t, "hashed", 20_000)
	all := w.several(3)
	runs := w.due(api, all...)
	w.start("holder", w.address, 0)
	w.start("worker", w.address, 2)
	w.listed(api, 1)
	w.query(api, `UPDATE works SET stopped = 1 WHERE run = $1 RETURNING run`, runs[0])
	w.until("it to leave", func() bool {
		return len(w.query(api, `SELECT run FROM works WHERE run = $1 AND listing IS NULL`, runs[0])) == 1
	})
	w.query(api, `UPDATE works SET stopped = 0 WHERE run = $1 RETURNING run`, runs[0])
	w.checkReports(api, runs, all)
}
