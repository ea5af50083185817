package catalogtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// processes is how many processes use a catalog concurrently.
const processes = 4

// atOnce calls do from as many goroutines as there are processes.
func atOnce(do func(process int, by inventory.Holder)) {
	var wg sync.WaitGroup
	for p := range processes {
		wg.Go(func() { do(p, inventory.Holder{Owner: fmt.Sprint("process ", p), Lease: time.Hour}) })
	}
	wg.Wait()
}

// sharedSteps checks that each step takes effect once if several processes make it.
func sharedSteps(t *testing.T, c Catalog) {
	const configurations = 10
	from := Start.Add(time.Hour)
	for i := range configurations {
		put(t, c, "photos", fmt.Sprint(i))
	}
	var made, late, notices atomic.Int64
	atOnce(func(p int, by inventory.Holder) {
		var steps []inventory.Step
		for _, i := range rand.Perm(configurations) {
			steps = append(steps, step(fmt.Sprint(i), fmt.Sprint("s", p, "-", i), from))
		}
		runs, err := c.Advance(t.Context(), steps, by, keep)
		if err != nil {
			t.Error(err)
		}
		made.Add(int64(len(runs)))
		marked, err := c.MarkLate(t.Context(), from, configurations, func(r stocktake.Run) []inventory.Notice {
			notices.Add(1)
			return []inventory.Notice{note(fmt.Sprint("late ", r.ID), Start)}
		})
		if err != nil {
			t.Error(err)
		}
		late.Add(int64(len(marked)))
	})
	same(t, "runs made", made.Load(), int64(configurations))
	same(t, "runs late", late.Load(), int64(configurations))
	if notices.Load() < configurations {
		t.Errorf("%d notices were asked for", notices.Load())
	}
	kept, err := c.DueNotices(t.Context(), target, Start, 100)
	must(t, err)
	same(t, "notices kept", len(kept), configurations)
}

// sharedRuns lets several processes request a run of the same configuration.
func sharedRuns(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	var added atomic.Int64
	atOnce(func(p int, by inventory.Holder) {
		r, ok, err := c.AddRun(t.Context(), Queued("photos", "a", fmt.Sprint("r", p)), by)
		if err != nil || r.ID == "" {
			t.Errorf("%+v, %v", r, err)
		}
		if ok {
			added.Add(1)
		}
	})
	same(t, "runs added", added.Load(), int64(1))
	same(t, "history", len(history(t, c, "photos", "a")), 1)
}

// sharedTaking lets several processes take the runs that one process has released.
func sharedTaking(t *testing.T, c Catalog) {
	const runs = 20
	for i := range runs {
		addBy(t, c, Holder, fmt.Sprint("r", i))
	}
	must(t, c.ReleaseRuns(t.Context(), Holder.Owner))
	var mu sync.Mutex
	holders := map[string]string{}
	atOnce(func(_ int, by inventory.Holder) {
		for {
			taken, err := takeFree(t.Context(), c, by, 3)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			for _, h := range taken {
				if other := holders[h.Run.ID]; other != "" {
					t.Errorf("%s was taken by %s and %s", h.Run.ID, other, by.Owner)
				}
				holders[h.Run.ID] = by.Owner
			}
			mu.Unlock()
			if left, err := c.FreeRuns(t.Context(), 1, 1); err != nil || len(left) == 0 {
				return
			}
		}
	})
	same(t, "runs taken", len(holders), runs)
}

// sharedBucket lets several processes put, remove and end everything that a bucket
// has, in any order. The counts must match the content.
func sharedBucket(t *testing.T, c Catalog) {
	const rounds = 20
	atOnce(func(p int, by inventory.Holder) {
		for i := range rounds {
			id := fmt.Sprint(rand.N(3))
			run := Queued("photos", id, fmt.Sprint(p, "-", i))
			var err error
			switch rand.N(6) {
			case 0:
				err = c.RemoveBucket(t.Context(), "photos")
			case 1:
				err = c.RemoveConfiguration(t.Context(), "photos", id)
			case 2:
				err = c.SetRetention(t.Context(), "photos", id, stocktake.Retention{Reports: i})
			default:
				if err = c.AddConfiguration(t.Context(), Entry("photos", id), &run, by, 2); err != nil {
					break
				}
				run.State, run.Ended = stocktake.Succeeded, Start
				at := inventory.Fence{State: stocktake.Queued, Owner: by.Owner, Attempt: 1}
				err = c.EndRun(t.Context(), run, at, inventory.End{Keep: keep, Remove: rand.N(2) == 0})
			}
			for _, expected := range []error{stocktake.ErrInventoryExists, stocktake.ErrInventoryExceedLimit, stocktake.ErrNoSuchRun, stocktake.ErrNoSuchInventory} {
				if errors.Is(err, expected) {
					err = nil
				}
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	page, _, err := c.Configurations(t.Context(), "photos", "", 10)
	must(t, err)
	n, err := c.CountConfigurations(t.Context())
	must(t, err)
	same(t, "configurations counted", n, int64(len(page)))
}
