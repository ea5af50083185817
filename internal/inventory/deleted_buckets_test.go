package inventory_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// A stubbornCatalog cannot remove buckets while it fails.
type stubbornCatalog struct {
	inventory.Catalog
	fails   atomic.Bool
	removed atomic.Int64
}

func (s *stubbornCatalog) RemoveBucket(ctx context.Context, bucket string) error {
	if s.fails.Load() {
		return errDisk
	}
	s.removed.Add(1)
	return s.Catalog.RemoveBucket(ctx, bucket)
}

// stubbornly is a world whose bucket "photos", of configurations a and b, was
// deleted while the catalog could not remove it.
func stubbornly(t *testing.T, opts inventory.Options) (*world, *stubbornCatalog) {
	w := newWorld(t, opts)
	w.close()
	stubborn := &stubbornCatalog{}
	w.wrap = func(c inventory.Catalog) inventory.Catalog {
		stubborn.Catalog = c
		return stubborn
	}
	w.open()
	w.put("photos", configuration("a", daily))
	w.put("photos", configuration("b", daily))
	w.put("logs", configuration("a", daily))
	stubborn.fails.Store(true)
	return w, stubborn
}

func (w *world) deleteBucket(name string) {
	w.t.Helper()
	w.buckets.delete(name)
	if err := w.BucketDeleted(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// configurations returns the number of configurations in the catalog itself.
func (w *world) configurations() int64 {
	w.t.Helper()
	n, err := w.catalog.CountConfigurations(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestBucketIsForgottenLater deletes a bucket while the catalog fails. The scheduler
// removes its configurations once the catalog works, without another request. Until
// then the bucket has no runs, and takes no place of other runs.
func TestBucketIsForgottenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deleted atomic.Bool
		w, stubborn := stubbornly(t, inventory.Options{MaxRuns: 1, Observer: changes(func(r stocktake.Run) {
			if r.Bucket == "photos" && deleted.Load() {
				t.Errorf("after the deletion: run %+v", r)
			}
		})})
		hold := make(chan struct{})
		w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
			select {
			case <-hold:
				return publish(ctx, task)
			case <-ctx.Done():
				return inventory.Outcome{}, ctx.Err()
			}
		})
		w.serve()
		synctest.Wait() // a run goes, the others wait
		deleted.Store(true)
		w.deleteBucket("photos")
		close(hold)
		synctest.Wait()
		begun := w.runner.runs()
		for _, r := range begun[1:] {
			if r.Run.Bucket == "photos" {
				t.Errorf("run %+v of a deleted bucket", r.Run)
			}
		}
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		nights := 0
		for _, r := range w.runner.runs()[len(begun):] {
			if r.Run.Bucket != "logs" {
				t.Errorf("run %+v of a deleted bucket", r.Run)
			}
			nights++
		}
		if nights != 2 {
			t.Errorf("%d runs of the other bucket in two days, want 2", nights)
		}
		if n := w.configurations(); n != 3 {
			t.Errorf("%d configurations are kept, want 3", n)
		}
		stubborn.fails.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.configurations(); n != 1 {
			t.Errorf("a minute after the catalog works %d configurations are kept, want 1", n)
		}
		w.close()
	})
}

// TestNewBucketFindsNothing creates a bucket with the name of one that the catalog
// could not remove. It cannot be created until the catalog works. Then it has none of
// the old configurations, and keeps its new ones.
func TestNewBucketFindsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stubborn := stubbornly(t, inventory.Options{})
		w.deleteBucket("photos")
		if err := w.ForgetDeleted(t.Context(), "photos"); !errors.Is(err, errDisk) {
			t.Errorf("while the catalog fails: %v, want %v", err, errDisk)
		}
		stubborn.fails.Store(false)
		if err := w.ForgetDeleted(t.Context(), "photos"); err != nil {
			t.Fatal(err)
		}
		w.buckets.all["photos"] = w.buckets.all["logs"]
		if list, _, err := w.List(t.Context(), "photos", "", 100); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("the new bucket has the configurations %q, %v", list, err)
		}
		w.put("photos", configuration("a", daily))
		if err := w.ForgetDeleted(t.Context(), "photos"); err != nil {
			t.Fatal(err)
		}
		w.serve()
		time.Sleep(time.Hour)
		if n := w.configurations(); n != 2 || stubborn.removed.Load() != 1 {
			t.Errorf("%d configurations are kept after %d removals, want 2 after one", n, stubborn.removed.Load())
		}
		if st := w.status("photos", "a"); st.Last == nil || st.Last.State != stocktake.Succeeded {
			t.Errorf("status %+v", st)
		}
		w.close()
	})
}
