package catalogtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// second is another process.
var second = inventory.Holder{Owner: "second", Lease: time.Hour}

// brief is Holder with a lease that expires at once.
var brief = inventory.Holder{Owner: Holder.Owner, Lease: time.Microsecond}

// fenceOf returns the fence of a run that by holds as r.
func fenceOf(by inventory.Holder, r stocktake.Run) inventory.Fence {
	return inventory.Fence{State: r.State, Owner: by.Owner, Attempt: r.Attempt}
}

// addBy adds a run of a new configuration.
func addBy(t *testing.T, c Catalog, by inventory.Holder, id string) stocktake.Run {
	t.Helper()
	put(t, c, "photos", id)
	r := Queued("photos", id, id)
	_, added, err := c.AddRun(t.Context(), r, by)
	must(t, err)
	same(t, "added", added, true)
	return r
}

// takeFree frees the runs whose lease has expired, and takes up to max free runs.
func takeFree(ctx context.Context, c Catalog, by inventory.Holder, max int) ([]inventory.HeldRun, error) {
	if _, err := c.FreeExpired(ctx); err != nil {
		return nil, err
	}
	free, err := c.FreeRuns(ctx, max, max)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range free {
		ids = append(ids, r.ID)
	}
	return c.TakeFreeRuns(ctx, by, ids...)
}

// take takes n runs, whose leases expire shortly afterwards.
func take(t *testing.T, c Catalog, by inventory.Holder, n int) (taken []inventory.HeldRun) {
	t.Helper()
	for len(taken) < n && t.Context().Err() == nil {
		page, err := takeFree(t.Context(), c, by, n)
		must(t, err)
		taken = append(taken, page...)
	}
	slices.SortFunc(taken, func(a, b inventory.HeldRun) int { return slices.Compare([]byte(a.Run.ID), []byte(b.Run.ID)) })
	return taken
}

func expiredLeases(t *testing.T, c Catalog) {
	addBy(t, c, Holder, "held")
	queued := addBy(t, c, brief, "queued")
	scanned := addBy(t, c, brief, "scanned")
	scanned.State, scanned.Started = stocktake.Scanning, Start
	must(t, c.StartRun(t.Context(), scanned, At(stocktake.Queued, scanned)))
	ended := addBy(t, c, brief, "ended")
	end(t, c, ended, stocktake.Failed)

	wanted := scanned
	wanted.State, wanted.Attempt = stocktake.Queued, 2
	same(t, "taken", take(t, c, second, 2), []inventory.HeldRun{{Run: queued}, {Run: wanted}})
	none, err := takeFree(t.Context(), c, second, 10)
	must(t, err)
	same(t, "taken again", len(none), 0)
	none, err = takeFree(t.Context(), c, Holder, 10)
	must(t, err)
	same(t, "taken back", len(none), 0)
	held, err := c.RenewRuns(t.Context(), second, nil)
	must(t, err)
	same(t, "held by the second", held, []inventory.HeldRun{{Run: queued}, {Run: wanted}})
	held, err = c.RenewRuns(t.Context(), Holder, nil)
	must(t, err)
	if len(held) != 1 || held[0].Run.ID != "held" {
		t.Fatalf("held by the first: %+v", held)
	}

	// A renewed lease applies.
	_, err = c.RenewRuns(t.Context(), inventory.Holder{Owner: second.Owner, Lease: time.Microsecond}, nil)
	must(t, err)
	_, err = c.RenewRuns(t.Context(), second, nil)
	must(t, err)
	none, err = takeFree(t.Context(), c, inventory.Holder{Owner: "third", Lease: time.Hour}, 10)
	must(t, err)
	same(t, "taken after a renewal", len(none), 0)
}

func takesAll(t *testing.T, c Catalog) {
	for i := range 5 {
		addBy(t, c, Holder, fmt.Sprint("r", i))
	}
	addBy(t, c, second, "mine")
	var ids []string
	for {
		page, err := c.TakeRuns(t.Context(), second, 3)
		must(t, err)
		for _, h := range page {
			ids = append(ids, h.Run.ID)
		}
		if len(page) < 3 {
			break
		}
	}
	same(t, "taken", ids, []string{"r0", "r1", "r2", "r3", "r4"})
}

// freeRuns checks that a few free runs of every bucket and destination are offered,
// requested ones first, and that only one holder gets each run.
func freeRuns(t *testing.T, c Catalog) {
	add := func(bucket, id string, trigger stocktake.Trigger, queued time.Duration) {
		t.Helper()
		must(t, c.AddConfiguration(t.Context(), Entry(bucket, id), nil, Holder, 1000))
		r := Queued(bucket, id, bucket+" "+id)
		r.Trigger, r.Queued = trigger, Start.Add(queued)
		_, added, err := c.AddRun(t.Context(), r, inventory.Holder{})
		must(t, err)
		same(t, "added", added, true)
	}
	add("photos", "a", stocktake.TriggerScheduled, 1)
	add("photos", "b", stocktake.TriggerScheduled, 2)
	add("photos", "c", stocktake.TriggerManual, 3*time.Second)
	add("logs", "d", stocktake.TriggerScheduled, 4*time.Second)
	addBy(t, c, Holder, "held")
	ids := func(each, max int) (ids []string) {
		t.Helper()
		free, err := c.FreeRuns(t.Context(), each, max)
		must(t, err)
		for _, r := range free {
			ids = append(ids, r.ID)
		}
		return ids
	}
	same(t, "one of each", ids(1, 10), []string{"photos c", "logs d"})
	same(t, "two of each", ids(2, 10), []string{"photos c", "logs d", "photos a"})
	same(t, "three in all", ids(3, 3), []string{"photos c", "logs d", "photos a"})
	n, err := c.FreeExpired(t.Context())
	must(t, err)
	same(t, "expired", n, int64(0))

	taken, err := c.TakeFreeRuns(t.Context(), second, "photos c", "held", "unknown", "logs d")
	must(t, err)
	if len(taken) != 2 || taken[0].Run.ID != "logs d" || taken[1].Run.ID != "photos c" || taken[0].Run.Attempt != 1 {
		t.Fatalf("taken: %+v", taken)
	}
	again, err := c.TakeFreeRuns(t.Context(), Holder, "photos c")
	must(t, err)
	same(t, "taken again", len(again), 0)
	must(t, c.ReleaseRuns(t.Context(), second.Owner, "logs d"))
	same(t, "free", ids(10, 10), []string{"photos a", "logs d", "photos b"})
}

// postponed checks that no process holds a postponed run. The run is free only once
// its time has come or its cancellation was requested.
func postponed(t *testing.T, c Catalog) {
	for id, pause := range map[string]time.Duration{"now": time.Microsecond, "later": time.Hour, "cancelled": time.Hour, "unwanted": time.Hour} {
		r := addBy(t, c, Holder, id)
		started := r
		started.State = stocktake.Scanning
		must(t, c.StartRun(t.Context(), started, At(stocktake.Queued, r)))
		again := r
		again.Attempt, again.Reason = 2, "attempt 1 failed"
		must(t, c.RetryRun(t.Context(), again, fenceOf(Holder, started), inventory.Holder{Owner: inventory.Postponed, Lease: pause}))
		got, err := c.Run(t.Context(), id)
		must(t, err)
		same(t, "postponed", got, again)
	}
	held, err := c.RenewRuns(t.Context(), Holder, nil)
	must(t, err)
	same(t, "held by the process that has failed", len(held), 0)

	must(t, c.RequestCancel(t.Context(), "cancelled"))
	taken, err := c.TakeFreeRuns(t.Context(), second, "cancelled", "later", "now")
	must(t, err)
	if len(taken) != 1 || taken[0].Run.ID != "cancelled" || !taken[0].Cancel || taken[0].Run.Attempt != 2 {
		t.Fatalf("taken: %+v, want the one whose end was requested", taken)
	}
	must(t, c.RequestCancel(t.Context(), "unwanted"))
	n, err := c.FreeExpired(t.Context())
	must(t, err)
	same(t, "of processes that are gone", n, int64(0))
	free, err := c.FreeRuns(t.Context(), 10, 10)
	must(t, err)
	var ids []string
	for _, r := range free {
		ids = append(ids, fmt.Sprint(r.ID, " ", r.Attempt))
	}
	slices.Sort(ids)
	same(t, "free", ids, []string{"now 2", "unwanted 2"})
}

func released(t *testing.T, c Catalog) {
	addBy(t, c, Holder, "a")
	addBy(t, c, second, "b")
	must(t, c.ReleaseRuns(t.Context(), Holder.Owner))
	taken, err := takeFree(t.Context(), c, inventory.Holder{Owner: "third", Lease: time.Hour}, 10)
	must(t, err)
	if len(taken) != 1 || taken[0].Run.ID != "a" {
		t.Fatalf("taken: %+v, want a", taken)
	}
}

func takenOnce(t *testing.T, c Catalog) {
	const runs, processes = 20, 4
	for i := range runs {
		addBy(t, c, brief, fmt.Sprint("r", i))
	}
	var mu sync.Mutex
	takers := map[string]string{}
	var wg sync.WaitGroup
	for p := range processes {
		by := inventory.Holder{Owner: fmt.Sprint("process ", p), Lease: time.Hour}
		wg.Go(func() {
			for t.Context().Err() == nil {
				taken, err := takeFree(t.Context(), c, by, 3)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, h := range taken {
					if other := takers[h.Run.ID]; other != "" {
						t.Errorf("%s was taken by %s and by %s", h.Run.ID, other, by.Owner)
					}
					takers[h.Run.ID] = by.Owner
				}
				all := len(takers) == runs
				mu.Unlock()
				if all {
					return
				}
			}
		})
	}
	wg.Wait()
}

func fencedOut(t *testing.T, c Catalog) {
	r := addBy(t, c, brief, "a")
	r.State = stocktake.Scanning
	must(t, c.StartRun(t.Context(), r, At(stocktake.Queued, r)))
	taken := take(t, c, second, 1)[0].Run
	late := r
	late.State = stocktake.Publishing
	_, err := c.PublishRun(t.Context(), late, fenceOf(Holder, r), []byte("late"), true)
	want(t, "publish", err, stocktake.ErrNoSuchRun)
	late.State, late.Ended = stocktake.Succeeded, Start
	want(t, "end", c.EndRun(t.Context(), late, fenceOf(Holder, r), inventory.End{Keep: keep}), stocktake.ErrNoSuchRun)
	held, err := c.RenewRuns(t.Context(), Holder, map[string]stocktake.Progress{"a": {Listed: 99}})
	must(t, err)
	same(t, "held", len(held), 0)
	got, err := c.Run(t.Context(), "a")
	must(t, err)
	same(t, "run", got, taken)

	// The first may take it back, and its earlier attempt is still fenced off.
	taken.State = stocktake.Scanning
	must(t, c.StartRun(t.Context(), taken, inventory.Fence{State: stocktake.Queued, Owner: second.Owner, Attempt: 2}))
	must(t, c.ReleaseRuns(t.Context(), second.Owner))
	back := take(t, c, Holder, 1)[0].Run
	same(t, "attempt", back.Attempt, 3)
	want(t, "end by the earlier attempt", c.EndRun(t.Context(), late, At(stocktake.Queued, r), inventory.End{Keep: keep}), stocktake.ErrNoSuchRun)
}

func cancelRequested(t *testing.T, c Catalog) {
	r := addBy(t, c, brief, "a")
	must(t, c.RequestCancel(t.Context(), "a"))
	must(t, c.RequestCancel(t.Context(), "unknown"))
	held, err := c.RenewRuns(t.Context(), brief, nil)
	must(t, err)
	same(t, "held", held, []inventory.HeldRun{{Run: r, Cancel: true}})
	same(t, "taken", take(t, c, second, 1), []inventory.HeldRun{{Run: r, Cancel: true}})
	ended := r
	ended.State, ended.Ended = stocktake.Succeeded, Start
	must(t, c.EndRun(t.Context(), ended, fenceOf(second, r), inventory.End{Keep: keep}))
	must(t, c.RequestCancel(t.Context(), "a"))
	got, err := c.Run(t.Context(), "a")
	must(t, err)
	same(t, "run that had ended", got, ended)
}

func oneManifest(t *testing.T, c Catalog) {
	r := addBy(t, c, brief, "a")
	publishing := r
	publishing.State = stocktake.Publishing
	first, later := []byte("manifest \x00 of the first"), []byte("of the second")
	recorded, err := c.PublishRun(t.Context(), publishing, At(stocktake.Queued, r), first, false)
	must(t, err)
	same(t, "recorded", recorded, first)
	recorded, err = c.RecordedReport(t.Context(), "a")
	must(t, err)
	same(t, "recorded", recorded, first)

	taken := take(t, c, second, 1)
	if len(taken) != 1 || !taken[0].Recorded || taken[0].Run.Attempt != 2 {
		t.Fatalf("taken: %+v, want the second attempt, with a manifest", taken)
	}
	again := taken[0].Run
	for _, manifest := range [][]byte{later, first} {
		fence := fenceOf(second, again)
		again.State = stocktake.Publishing
		recorded, err = c.PublishRun(t.Context(), again, fence, manifest, true)
		must(t, err)
		same(t, "recorded by the second", recorded, first)
	}
	ended := again
	ended.State, ended.Ended = stocktake.Succeeded, Start
	must(t, c.EndRun(t.Context(), ended, fenceOf(second, again), inventory.End{Keep: keep}))
	recorded, err = c.RecordedReport(t.Context(), "a")
	must(t, err)
	same(t, "recorded after the end", len(recorded), 0)

	// The recorded report is removed with the run.
	r = addBy(t, c, Holder, "b")
	publishing = r
	publishing.State = stocktake.Publishing
	_, err = c.PublishRun(t.Context(), publishing, At(stocktake.Queued, r), first, true)
	must(t, err)
	must(t, c.RemoveConfiguration(t.Context(), "photos", "b"))
	recorded, err = c.RecordedReport(t.Context(), "b")
	must(t, err)
	same(t, "recorded of a removed configuration", len(recorded), 0)
}
