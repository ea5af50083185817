package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/inventory"
)

// A cluster is one catalog, and the services of several processes on it.
type cluster struct {
	t       *testing.T
	catalog *sqlite.Catalog
	buckets *buckets
	ledger  ledger
	poll    time.Duration // of processes that are started
}

// A ledger is what the processes of a cluster have published, as a destination
// has it.
type ledger struct {
	mu        sync.Mutex
	manifests map[string]map[string]int // by run: the manifests written, and how often
	attempts  map[string]bool           // run and attempt, as begun
}

// A process is one service of a cluster.
type process struct {
	*inventory.Service
	name     string
	severed  atomic.Bool        // its catalog cannot be reached
	scanning chan chan struct{} // gets a gate that each attempt waits at before it records; nil: none waits
	fail     atomic.Bool        // its runs fail for a reason that may pass
	recorded chan chan struct{} // the same after it has recorded, before it writes
	looks    atomic.Int64       // for free runs
	stop     func()
}

func newCluster(t *testing.T) *cluster {
	c, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{t: t, poll: 10 * time.Minute, catalog: c, buckets: newBuckets("photos"), ledger: ledger{manifests: map[string]map[string]int{}, attempts: map[string]bool{}}}
}

// severable is the catalog as one process reaches it.
type severable struct {
	inventory.Catalog
	p *process
}

func (s severable) RenewRuns(ctx context.Context, by inventory.Holder, progress map[string]stocktake.Progress) ([]inventory.HeldRun, error) {
	if s.p.severed.Load() {
		return nil, errDisk
	}
	return s.Catalog.RenewRuns(ctx, by, progress)
}

func (s severable) FreeExpired(ctx context.Context) (int64, error) {
	if s.p.severed.Load() {
		return 0, errDisk
	}
	return s.Catalog.FreeExpired(ctx)
}

func (s severable) FreeRuns(ctx context.Context, each, max int) ([]stocktake.Run, error) {
	if s.p.severed.Load() {
		return nil, errDisk
	}
	s.p.looks.Add(1)
	return s.Catalog.FreeRuns(ctx, each, max)
}

// start starts a process of the cluster.
func (c *cluster) start(name string) *process {
	c.t.Helper()
	p := &process{name: name}
	s, err := inventory.New(c.t.Context(), severable{c.catalog, p}, c.buckets, clusterRunner{c, p}, inventory.Options{Shared: true, Poll: c.poll, Log: quiet})
	if err != nil {
		c.t.Fatal(err)
	}
	p.Service = s
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			c.t.Error(err)
		}
	})
	synctest.Wait() // it has looked for free runs once, so that it takes none that another one records now
	return p
}

// end stops the processes and checks that each run has one manifest at most.
func (c *cluster) end(processes ...*process) {
	c.t.Helper()
	for _, p := range processes {
		p.stop()
	}
	for run, written := range c.ledger.manifests {
		if len(written) > 1 {
			c.t.Errorf("run %s has %d manifests: %v", run, len(written), written)
		}
	}
	if err := c.catalog.Close(); err != nil {
		c.t.Error(err)
	}
}

// A clusterRunner makes the runs of a process: it waits where the test says, and writes
// what the service permits.
type clusterRunner struct {
	c *cluster
	p *process
}

func wait(ctx context.Context, gates chan chan struct{}) error {
	if gates == nil {
		return nil
	}
	gate := make(chan struct{})
	gates <- gate
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r clusterRunner) Run(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	l := &r.c.ledger
	attempt := fmt.Sprint(t.Run.ID, " ", t.Run.Attempt)
	l.mu.Lock()
	if l.attempts[attempt] {
		r.c.t.Errorf("attempt %s is made twice", attempt)
	}
	l.attempts[attempt] = true
	l.mu.Unlock()
	if r.p.fail.Load() {
		return inventory.Outcome{}, awayError{}
	}
	manifest := fmt.Appendf(nil, "manifest of %s, attempt %d", r.p.name, t.Run.Attempt)
	if t.Recorded == nil {
		if err := wait(ctx, r.p.scanning); err != nil {
			return inventory.Outcome{}, err
		}
	}
	recorded, err := t.Record(ctx, manifest)
	if err != nil {
		return inventory.Outcome{}, err
	}
	if t.Recorded != nil && string(recorded) != string(t.Recorded) {
		r.c.t.Errorf("attempt %s was told %q, then %q", attempt, t.Recorded, recorded)
	}
	// A run that is frozen here does not see the end of its context.
	if err := wait(context.WithoutCancel(ctx), r.p.recorded); err != nil {
		return inventory.Outcome{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.manifests[t.Run.ID] == nil {
		l.manifests[t.Run.ID] = map[string]int{}
	}
	l.manifests[t.Run.ID][string(recorded)]++
	return done, nil
}

func (clusterRunner) Clean(context.Context, inventory.Task) error { return nil }

func (c *cluster) runs(id string) []stocktake.Run {
	c.t.Helper()
	runs, err := c.catalog.Runs(c.t.Context(), "photos", id)
	if err != nil {
		c.t.Fatal(err)
	}
	return runs
}

func (c *cluster) put(p *process, id string) {
	c.t.Helper()
	if err := p.Put(c.t.Context(), "photos", configuration(id, daily)); err != nil {
		c.t.Fatal(err)
	}
}

// TestLeasesAreRenewed: while one of two processes makes a run of ten hours, the other
// does not take it.
func TestLeasesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a, b := c.start("a"), c.start("b")
		a.scanning = make(chan chan struct{}, 1)
		c.put(a, "daily")
		gate := <-a.scanning
		time.Sleep(10 * time.Hour)
		if runs := c.runs("daily"); len(runs) != 1 || runs[0].Attempt != 1 || runs[0].State != stocktake.Scanning {
			t.Errorf("after ten hours: %+v", runs)
		}
		close(gate)
		synctest.Wait()
		if runs := c.runs("daily"); len(runs) != 1 || runs[0].State != stocktake.Succeeded {
			t.Errorf("at the end: %+v", runs)
		}
		c.end(a, b)
	})
}

// TestExpiredLeaseIsTakenOver severs the owner of a run from the catalog, before
// or after it has recorded a manifest. The other process takes the run over and
// ends it. The owner comes back late and writes nothing, or the very manifest
// that the catalog has.
func TestExpiredLeaseIsTakenOver(t *testing.T) {
	for _, late := range []string{"before it records", "after it has recorded"} {
		t.Run(late, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				a, b := c.start("a"), c.start("b")
				gates := make(chan chan struct{}, 1)
				recorded, written := "manifest of b, attempt 2", 1
				if late == "before it records" {
					a.scanning = gates
				} else {
					a.recorded = gates
					recorded, written = "manifest of a, attempt 1", 2
				}
				c.put(a, "daily")
				gate := <-gates
				a.severed.Store(true)
				time.Sleep(time.Minute)
				synctest.Wait()
				runs := c.runs("daily")
				if len(runs) != 1 || runs[0].State != stocktake.Succeeded || runs[0].Attempt != 2 {
					t.Fatalf("a minute later: %+v, want the second attempt to have succeeded", runs)
				}
				a.severed.Store(false)
				close(gate)
				synctest.Wait()
				time.Sleep(time.Minute)
				if again := c.runs("daily"); len(again) != 1 || again[0] != runs[0] {
					t.Errorf("after the owner came back: %+v, want %+v", again, runs)
				}
				got := c.ledger.manifests[runs[0].ID]
				if len(got) != 1 || got[recorded] != 1 && got[recorded] != written {
					t.Errorf("written: %v, want %q, %d times at most", got, recorded, written)
				}
				c.end(a, b)
			})
		})
	}
}

// TestOwnerSeesThatItHasLostARun renews again, before it has finished the scan.
func TestOwnerSeesThatItHasLostARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a, b := c.start("a"), c.start("b")
		a.scanning = make(chan chan struct{}, 1)
		c.put(a, "daily")
		<-a.scanning // its gate stays closed: only the end of its context ends the attempt
		a.severed.Store(true)
		time.Sleep(time.Minute)
		a.severed.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if load := a.Load(); load.Running != 0 {
			t.Errorf("the owner still works on it: %+v", load)
		}
		c.end(a, b)
	})
}

// TestProcessThatStops leaves its runs, those that wait among them, and its
// schedule to the others.
func TestProcessThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a := c.start("a")
		a.scanning = make(chan chan struct{}, 100)
		const configurations = 6 // more than run at once
		for i := range configurations {
			c.put(a, fmt.Sprint(i))
		}
		synctest.Wait()
		a.stop()
		b := c.start("b")
		time.Sleep(time.Minute)
		synctest.Wait()
		for i := range configurations {
			if runs := c.runs(fmt.Sprint(i)); len(runs) != 1 || runs[0].State != stocktake.Succeeded {
				t.Errorf("%d: %+v", i, runs)
			}
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		for i := range configurations {
			if runs := c.runs(fmt.Sprint(i)); len(runs) != 2 || runs[0].State != stocktake.Succeeded {
				t.Errorf("%d, a day later: %+v", i, runs)
			}
		}
		c.end(a, b)
	})
}

// TestRunsOfAProcessThatStopsSlowly stops a process, one of whose two runs ends late. The
// other run is free at once.
func TestRunsOfAProcessThatStopsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a := c.start("a")
		a.recorded = make(chan chan struct{}, 1)
		c.put(a, "slow")
		gate := <-a.recorded
		a.scanning = make(chan chan struct{}, 1)
		c.put(a, "other")
		<-a.scanning
		go a.stop()
		synctest.Wait()
		if runs := c.runs("other"); len(runs) != 1 || runs[0].State != stocktake.Queued || runs[0].Attempt != 2 {
			t.Errorf("the other run: %+v", runs)
		}
		if free, err := c.catalog.FreeRuns(t.Context(), 10, 10); err != nil || len(free) != 1 || free[0].Configuration != "other" {
			t.Errorf("free: %+v, %v", free, err)
		}
		close(gate)
		c.end(a)
	})
}

// TestLooksForFreeRuns counts how often a process queries free runs: once when a run is
// recorded, and once when the process has a place again.
func TestLooksForFreeRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a := c.start("a")
		a.scanning = make(chan chan struct{}, 1)
		before := a.looks.Load()
		c.put(a, "daily")
		gate := <-a.scanning
		synctest.Wait()
		if n := a.looks.Load() - before; n != 1 {
			t.Errorf("%d looks for the run that was put", n)
		}
		before = a.looks.Load()
		close(gate)
		synctest.Wait()
		if runs := c.runs("daily"); runs[0].State != stocktake.Succeeded {
			t.Errorf("%+v", runs)
		}
		if n := a.looks.Load() - before; n > 2 { // one that finds some, one that finds no more
			t.Errorf("%d looks after the end of the run", n)
		}
		c.end(a)
	})
}

// TestScheduleOfAProcessThatIsGone puts a configuration with one process, which
// then stops: the other process was not notified.
func TestScheduleOfAProcessThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a, b := c.start("a"), c.start("b")
		c.put(a, "daily")
		synctest.Wait()
		a.stop()
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		if runs := c.runs("daily"); len(runs) != 4 {
			t.Errorf("%d runs in three days, want 4: %+v", len(runs), runs)
		}
		c.end(b)
	})
}

// TestCancelOfAnothersRun asks one process to end a run of another one, which
// does so, unless its manifest is recorded.
func TestCancelOfAnothersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a, b := c.start("a"), c.start("b")
		a.scanning = make(chan chan struct{}, 1)
		c.put(a, "daily")
		<-a.scanning
		r, err := b.Cancel(t.Context(), "photos", "daily")
		if err != nil || r.State != stocktake.Cancelled {
			t.Errorf("while it scans: %+v, %v", r, err)
		}
		if load := a.Load(); load.Running != 0 {
			t.Errorf("it is still being made: %+v", load)
		}

		a.scanning, a.recorded = nil, make(chan chan struct{}, 1)
		if _, err := a.Run(t.Context(), "photos", "daily"); err != nil {
			t.Fatal(err)
		}
		gate := <-a.recorded
		time.AfterFunc(time.Minute, func() { close(gate) })
		r, err = b.Cancel(t.Context(), "photos", "daily")
		if err != nil || r.State != stocktake.Succeeded {
			t.Errorf("while it publishes: %+v, %v", r, err)
		}
		if _, err := b.Cancel(t.Context(), "photos", "daily"); !errors.Is(err, stocktake.ErrNoSuchRun) {
			t.Errorf("at the end: %v", err)
		}
		c.end(a, b)
	})
}

// TestWishOutlivesItsProcess cancels a run whose owner is gone: the process that takes
// the run cancels it.
func TestWishOutlivesItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a := c.start("a")
		a.scanning = make(chan chan struct{}, 1)
		c.put(a, "daily")
		<-a.scanning
		a.severed.Store(true) // it never sees the request to cancel
		b := c.start("b")
		r, err := b.Cancel(t.Context(), "photos", "daily")
		if err != nil || r.State != stocktake.Cancelled || r.Attempt != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		c.end(a, b)
	})
}

// TestDeleteOfAConfigurationThatAnotherRuns ends the run first.
func TestDeleteOfAConfigurationThatAnotherRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a, b := c.start("a"), c.start("b")
		a.scanning = make(chan chan struct{}, 1)
		c.put(a, "daily")
		<-a.scanning
		if err := b.Delete(t.Context(), "photos", "daily"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if load := a.Load(); load.Running != 0 || len(c.ledger.manifests) != 0 {
			t.Errorf("after the deletion: %+v, published %v", load, c.ledger.manifests)
		}
		if _, err := a.Get(t.Context(), "photos", "daily"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("after the deletion: %v", err)
		}
		c.end(a, b)
	})
}

// TestRetryOutlivesItsProcess ends the process whose run has failed, cleanly or by a crash.
// Another process tries again when the pause is over, and not earlier. The run keeps its
// due time.
func TestRetryOutlivesItsProcess(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		t.Run(fmt.Sprint("in order ", inOrder), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.poll = time.Second
				a := c.start("a")
				a.fail.Store(true)
				c.put(a, "daily")
				synctest.Wait()
				failed := c.runs("daily")[0]
				if failed.State != stocktake.Queued || failed.Attempt != 2 {
					t.Fatalf("%+v", failed)
				}
				if inOrder {
					a.stop()
				} else {
					a.severed.Store(true)
				}
				b := c.start("b")
				time.Sleep(59 * time.Second)
				synctest.Wait()
				if r := c.runs("daily")[0]; r != failed {
					t.Errorf("before it is time: %+v, want %+v", r, failed)
				}
				time.Sleep(17 * time.Second) // half a lease, and the interval at which processes look
				synctest.Wait()
				r := c.runs("daily")[0]
				if r.State != stocktake.Succeeded || r.Attempt != 2 || !r.Due.Equal(failed.Due) || r.ID != failed.ID {
					t.Errorf("when it is time: %+v", r)
				}
				c.end(a, b)
			})
		})
	}
}

// TestCancelOfAPostponedRun sends the request to a process that did not make the run.
func TestCancelOfAPostponedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a := c.start("a")
		a.fail.Store(true)
		c.put(a, "daily")
		synctest.Wait()
		b := c.start("b")
		if r, err := b.Cancel(t.Context(), "photos", "daily"); err != nil || r.State != stocktake.Cancelled {
			t.Errorf("%+v, %v", r, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if runs := c.runs("daily"); len(runs) != 1 || runs[0].Attempt != 2 {
			t.Errorf("%+v", runs)
		}
		c.end(a, b)
	})
}
