package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/testpostgres"
)

// scanned waits until a run has n slices that are done.
func (w *world) scanned(p *process, n int) {
	w.t.Helper()
	w.until("slices", func() bool {
		return len(w.query(p, `SELECT id::text FROM tasks WHERE kind = 'slice' AND done = 1`)) >= n
	})
}

// held waits until the process has taken the run. It must be the only process that
// can, because the first one that takes a run holds it.
func (w *world) held(p *process, run string) {
	w.t.Helper()
	w.until("a process that holds the run", func() bool {
		return len(w.query(p, `SELECT owner FROM runs WHERE id = $1 AND owner <> ''`, run)) > 0
	})
}

// replaceWorker cuts off the process "cut", which reaches the database through proxy, while it
// scans a slice. Once it is presumed dead, it is connected again while another worker runs.
func (w *world) replaceWorker(holder *process, proxy *testpostgres.Proxy) {
	w.t.Helper()
	w.until("a slice of the worker", func() bool {
		return len(w.query(holder, `SELECT id::text FROM tasks WHERE host = 'cut' AND done = 0 AND worker <> ''`)) > 0
	})
	proxy.Cut()
	w.until("its tasks to be taken away", func() bool {
		return len(w.query(holder, `SELECT id::text FROM tasks WHERE worker <> '' AND done = 0`)) == 0
	})
	w.start("other", w.address, 2)
	proxy.Mend()
}

// A worker that is cut off from the database is presumed dead, and another worker
// scans its slice. When it is back it changes nothing, and its files are removed.
func TestWorkerCutOff(t *testing.T) {
	w := newWorld(t, "hashed", 20_000)
	w.far.Latency = 150 * time.Millisecond // it is cut off long before the end
	proxy := server.NewProxy(t)
	holder := w.start("holder", w.address, 0)
	run := w.put(holder, "all", "")
	w.held(holder, run)
	w.start("cut", proxy.Address(t, w.address), 2)
	w.scanned(holder, 1)
	w.replaceWorker(holder, proxy)
	w.checkReport(w.ended(holder, run))
}

// The database goes away when a process has opened it and before it takes tasks from it.
func TestStartsWithoutDatabase(t *testing.T) {
	w := newWorld(t, "hashed", 2000)
	holder := w.start("holder", w.address, 0)
	run := w.put(holder, "all", "")
	w.held(holder, run)
	proxy := server.NewProxy(t)
	w.before = proxy.Cut
	w.start("late", proxy.Address(t, w.address), 2)
	w.until("a try to reach the database", func() bool { return proxy.Refused() > 0 })
	proxy.Mend()
	w.checkReport(w.ended(holder, run))
}

// A process that ends hands over its slices with their next page, and nothing is
// scanned twice.
func TestDrained(t *testing.T) {
	w := newWorld(t, "dated", 20_000)
	holder := w.start("holder", w.address, 0)
	run := w.put(holder, "all", "")
	w.held(holder, run)
	first := w.start("first", w.address, 2)
	w.scanned(holder, 1)
	first.stop()
	if at := w.query(holder, `SELECT host FROM tasks WHERE worker <> '' AND done = 0`); len(at) > 0 {
		t.Errorf("tasks are still at %v", at)
	}
	w.start("second", w.address, 2)
	w.checkReport(w.ended(holder, run))
	if again := w.query(holder, `SELECT kind FROM tasks WHERE generation > 1`); len(again) > 0 {
		t.Errorf("tasks were begun again: %v", again)
	}
}

// A process that ends in order hands the runs that it holds on at once: the patrol, which
// looks for those of dead processes, does not come before the test ends.
func TestHolderHandedOn(t *testing.T) {
	w := newWorld(t, "dated", 20_000)
	w.lease = 24 * time.Hour
	holder := w.start("holder", w.address, 0)
	run := w.put(holder, "all", "")
	w.held(holder, run)
	next := w.start("next", w.address, 2)
	w.scanned(next, 1)
	holder.stop()
	r := w.ended(next, run)
	w.checkReport(r)
	if r.Attempt != 2 {
		t.Errorf("attempt %d of the run, want the second holder's", r.Attempt)
	}
}

// The process that holds a run is cut off. The next one continues from the current
// state of the slices.
func TestHolderCutOff(t *testing.T) {
	w := newWorld(t, "nested", 20_000)
	w.far.Latency = 150 * time.Millisecond // it is cut off long before the end
	proxy := server.NewProxy(t)
	holder := w.start("holder", proxy.Address(t, w.address), 0)
	run := w.put(holder, "all", "")
	w.held(holder, run)
	next := w.start("next", w.address, 2)
	w.scanned(next, 1)
	proxy.Cut()
	r := w.ended(next, run)
	proxy.Mend()
	w.checkReport(r)
	if r.Attempt != 2 {
		t.Errorf("attempt %d of the run, want the second holder's", r.Attempt)
	}
	if plans := w.query(next, `SELECT count(*)::text FROM tasks WHERE kind = 'plan'`); plans[0] > "1" {
		t.Errorf("the run was planned %v times", plans)
	}
}

// The jobs of a run are lost, as if the queue had been emptied.
func TestJobsLost(t *testing.T) {
	w := newWorld(t, "hashed", 20_000)
	holder := w.start("holder", w.address, 0)
	run := w.put(holder, "all", "")
	w.until("the plan", func() bool { return len(w.query(holder, `SELECT id::text FROM river_job`)) > 0 })
	w.query(holder, `DELETE FROM river_job RETURNING id::text`)
	w.start("worker", w.address, 2)
	for range 3 {
		w.scanned(holder, 1)
		w.query(holder, `DELETE FROM river_job WHERE state = 'available' RETURNING id::text`)
	}
	w.checkReport(w.ended(holder, run))
}

// A process dies when River has given it a job and before it has taken the task.
func TestJobsOfTheDead(t *testing.T) {
	w := newWorld(t, "hashed", 2000)
	holder := w.start("holder", w.address, 0)
	run := w.put(holder, "all", "")
	w.until("the plan's job", func() bool {
		return len(w.query(holder, `UPDATE river_job SET state = 'running', attempted_at = now(), attempted_by = '{dead}' RETURNING id::text`)) > 0
	})
	w.start("worker", w.address, 2)
	w.checkReport(w.ended(holder, run))
	if left := w.query(holder, `SELECT kind FROM river_job WHERE state = 'running' AND attempted_by = '{dead}'`); len(left) > 0 {
		t.Errorf("jobs of the dead process are left: %v", left)
	}
}

// The answer by which River has given a job to a process is lost, so that the process
// does not know of it; and that of a job whose task is over, too.
func TestJobsLostOnTheirWay(t *testing.T) {
	w := newWorld(t, "hashed", 2000)
	holder := w.start("holder", w.address, 0)
	run := w.put(holder, "all", "")
	const give = `UPDATE river_job SET state = 'running', finalized_at = NULL, attempted_at = now() - interval '1 minute',
		attempted_by = ARRAY(SELECT id FROM processes LIMIT 1) WHERE kind = 'stocktake_plan' RETURNING id::text`
	w.until("the plan's job", func() bool { return len(w.query(holder, give)) > 0 })
	w.start("worker", w.address, 2)
	w.checkReport(w.ended(holder, run))
	w.query(holder, give)
	w.until("the job to end", func() bool {
		return len(w.query(holder, `SELECT id::text FROM river_job WHERE state = 'running'`)) == 0
	})
}

// A connection to the database ends while a process begins to fetch jobs. It still
// fetches them, and tasks that it has begun by then are completed.
func TestStartsOnPoorLine(t *testing.T) {
	for _, at := range []string{"INSERT INTO river_queue", "QueueCreateOrSetUpdatedAt", "LISTEN"} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t, "hashed", 2000)
			holder := w.start("holder", w.address, 0)
			run := w.put(holder, "all", "")
			w.held(holder, run)
			proxy := server.NewProxy(t)
			w.before = func() { proxy.BreakAt(at) }
			w.start("late", proxy.Address(t, w.address), 2)
			w.checkReport(w.ended(holder, run))
			if !proxy.Broken() {
				t.Error("no connection has ended")
			}
		})
	}
}

// The connections to the database end again and again while a run is made.
func TestConnectionsLost(t *testing.T) {
	w := newWorld(t, "hashed", 20_000)
	proxy := server.NewProxy(t)
	holder := w.start("holder", proxy.Address(t, w.address), 2)
	watch := w.start("watch", w.address, 0)
	run := w.put(holder, "all", "")
	for i := range 3 {
		w.scanned(watch, i+1)
		proxy.Cut()
		proxy.Mend()
	}
	w.checkReport(w.ended(watch, run))
}

// A request to cancel at any process ends a run, and its files are removed.
func TestCancelled(t *testing.T) {
	w := newWorld(t, "flat", 50_000)
	w.far.Latency = 1500 * time.Millisecond // the request to cancel arrives long before the end
	holder := w.start("holder", w.address, 0)
	worker := w.start("worker", w.address, 2)
	run := w.put(holder, "all", "")
	w.scanned(holder, 1)
	r, err := worker.Cancel(t.Context(), "photos", "all")
	if err != nil || r.ID != run || r.State != stocktake.Cancelled {
		t.Fatalf("%+v, %v", r, err)
	}
	if files := w.files(); len(files) > 0 {
		t.Errorf("it has left %v", files)
	}
}

// If a configuration is deleted, its tasks and their files are removed.
func TestDeleted(t *testing.T) {
	w := newWorld(t, "flat", 50_000)
	w.far.Latency = 1500 * time.Millisecond
	holder := w.start("holder", w.address, 0)
	w.start("worker", w.address, 2)
	w.put(holder, "all", "")
	w.scanned(holder, 1)
	if err := holder.Delete(t.Context(), "photos", "all"); err != nil {
		t.Fatal(err)
	}
	w.until("the files to be removed", func() bool { return len(w.files()) == 0 })
	if tasks := w.query(holder, `SELECT kind FROM tasks`); len(tasks) > 0 {
		t.Errorf("tasks are left: %v", tasks)
	}
}

// A run that cannot be made fails with the reason, and without a trace.
func TestFails(t *testing.T) {
	w := newWorld(t, "hashed", 20_000)
	holder := w.start("holder", w.address, 0)
	w.start("worker", w.address, 2)
	run := w.put(holder, "all", "")
	w.scanned(holder, 1)
	w.broken.Store(true)
	r := w.ended(holder, run)
	if r.State != stocktake.Failed || !strings.Contains(r.Reason, "the role") || !strings.Contains(r.Reason, "give the role the right") {
		t.Errorf("%+v", r)
	}
	if files := w.files(); len(files) > 0 {
		t.Errorf("it has left %v", files)
	}
}

// The database is unreachable whenever a task needs it, more often than the task may
// fail. These do not count as failures of the task.
func TestDatabaseAway(t *testing.T) {
	w := newWorld(t, "hashed", 2000)
	holder := w.start("holder", w.address, 0)
	w.unavailable.Store(true)
	run := w.put(holder, "all", "")
	w.held(holder, run)
	w.start("worker", w.address, 2)
	w.until("attempts", func() bool {
		w.query(holder, `UPDATE tasks SET due = 0 WHERE due > 0 AND done = 0 RETURNING id::text`) // the pauses are cut short
		return len(w.query(holder, `SELECT id::text FROM tasks WHERE generation > 12`)) > 0
	})
	if counted := w.query(holder, `SELECT kind FROM tasks WHERE failures > 0`); len(counted) > 0 {
		t.Errorf("attempts at %v count", counted)
	}
	w.unavailable.Store(false)
	w.checkReport(w.ended(holder, run))
}

// A task that was lost with its processes before fails once, which is not its last attempt.
func TestLostAttemptsAreNoFailures(t *testing.T) {
	w := newWorld(t, "hashed", 2000)
	holder := w.start("holder", w.address, 0)
	w.away.Store(true)
	run := w.put(holder, "all", "")
	w.until("the plan", func() bool {
		return len(w.query(holder, `UPDATE tasks SET generation = generation + 4, job = 0 WHERE generation = 1 RETURNING id::text`)) > 0
	})
	w.start("worker", w.address, 2)
	w.until("a failure", func() bool { return len(w.query(holder, `SELECT id::text FROM tasks WHERE failures > 0`)) > 0 })
	w.away.Store(false)
	r := w.ended(holder, run)
	w.checkReport(r)
	if r.Attempt != 1 {
		t.Errorf("%+v, want the first attempt to succeed", r)
	}
}

// A run whose filter lets nothing through succeeds and writes nothing.
func TestNothingMatches(t *testing.T) {
	w := newWorld(t, "hashed", 1000)
	p := w.start("one", w.address, 1)
	r := w.ended(p, w.put(p, "none", "no such prefix/"))
	if r.State != stocktake.Succeeded || r.Manifest != "" || len(w.files()) > 0 {
		t.Errorf("%+v, files %v", r, w.files())
	}
}
