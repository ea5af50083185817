package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// Runs that wait for a store of the settings take no places of other runs, whether that
// store is listed or written to.
func TestStoresDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{MaxRuns: 2})
		w.buckets.moveTo("lake", nil, "logs")
		w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
			if task.Run.Bucket == "logs" || task.Configuration.Destination.Bucket == "logs" {
				return hang(ctx, task)
			}
			return publish(ctx, task)
		})
		for i := range 4 {
			w.put("logs", configuration(fmt.Sprint("from-", i), daily))
			to := configuration(fmt.Sprint("to-", i), daily)
			to.Destination.Bucket = "logs"
			w.put("photos", to)
		}
		w.put("photos", configuration("own", daily))
		w.serve()
		synctest.Wait()
		if got := w.history("photos", "own"); !slices.Equal(got, []stocktake.RunState{stocktake.Succeeded}) {
			t.Errorf("the run of the embedded store alone: %v", got)
		}
		if l := w.Load(); l.Running != 4 || l.Waiting != 4 { // two that read the lake, two that write it
			t.Errorf("%+v", l)
		}
		w.close()

		// After a restart the runs are in the same lanes.
		w.open()
		w.serve()
		synctest.Wait()
		if l := w.Load(); l.Running != 4 || l.Waiting != 4 {
			t.Errorf("after a restart: %+v", l)
		}
		for i := range 4 {
			if err := w.Delete(t.Context(), "logs", fmt.Sprint("from-", i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if l := w.Load(); l.Running != 2 || l.Waiting != 2 {
			t.Errorf("after deletes: %+v", l)
		}
		w.close()
	})
}

// A configuration whose store cannot be reached is kept, with a warning; a bucket
// that the store does not have is refused.
func TestStoreThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	silent := errors.New("the store lake cannot be reached")
	w.buckets.moveTo("lake", silent, "logs", "reports")
	w.put("logs", configuration("daily", daily))
	st, err := w.Status(t.Context(), "logs", "daily")
	if err != nil || len(st[0].Warnings) != 2 || !strings.Contains(st[0].Warnings[0], silent.Error()) { // source and destination
		t.Errorf("%+v, %v", st, err)
	}
	w.buckets.moveTo("lake", stocktake.ErrNoSuchBucket, "reports")
	if err := w.Put(t.Context(), "photos", configuration("daily", daily)); !isEC(err, "0020-00000032") {
		t.Errorf("no such destination there: %v", err)
	}
	w.buckets.moveTo("lake", nil, "reports")
	w.buckets.moveTo("lake", stocktake.ErrNoSuchBucket, "logs")
	if err := w.Put(t.Context(), "logs", configuration("weekly", daily)); !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("no such source there: %v", err)
	}
	w.close()
}

func isEC(err error, ec string) bool {
	e, ok := errors.AsType[*stocktake.InvalidArgumentError](err)
	return ok && e.EC == ec
}
