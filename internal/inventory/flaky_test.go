package inventory_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// errDisk is what a flakyCatalog fails with.
var errDisk = errors.New("the disk fails")

// A flakyCatalog fails only its n-th operation; with 0 it fails none.
type flakyCatalog struct {
	inventory.Catalog
	mu    sync.Mutex
	calls int
	n     int
	what  string // that failed
}

func (f *flakyCatalog) fail(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls++; f.calls == f.n {
		f.what = what
		return errDisk
	}
	return nil
}

func (f *flakyCatalog) AddConfiguration(ctx context.Context, e inventory.Entry, first *stocktake.Run, by inventory.Holder, limit int) error {
	if err := f.fail("AddConfiguration"); err != nil {
		return err
	}
	return f.Catalog.AddConfiguration(ctx, e, first, by, limit)
}

func (f *flakyCatalog) Configuration(ctx context.Context, bucket, id string) (inventory.Entry, error) {
	if err := f.fail("Configuration"); err != nil {
		return inventory.Entry{}, err
	}
	return f.Catalog.Configuration(ctx, bucket, id)
}

func (f *flakyCatalog) ReplaceConfiguration(ctx context.Context, r inventory.Replacement, by inventory.Holder) ([]byte, error) {
	if err := f.fail("ReplaceConfiguration"); err != nil {
		return nil, err
	}
	return f.Catalog.ReplaceConfiguration(ctx, r, by)
}

func (f *flakyCatalog) RunConfiguration(ctx context.Context, run string) (stocktake.InventoryConfiguration, error) {
	if err := f.fail("RunConfiguration"); err != nil {
		return stocktake.InventoryConfiguration{}, err
	}
	return f.Catalog.RunConfiguration(ctx, run)
}

func (f *flakyCatalog) NewestRuns(ctx context.Context, bucket, id string, max int) ([]stocktake.Run, error) {
	if err := f.fail("NewestRuns"); err != nil {
		return nil, err
	}
	return f.Catalog.NewestRuns(ctx, bucket, id, max)
}

func (f *flakyCatalog) CleanRuns(ctx context.Context, bucket, id string, max int) (bool, error) {
	if err := f.fail("CleanRuns"); err != nil {
		return false, err
	}
	return f.Catalog.CleanRuns(ctx, bucket, id, max)
}

func (f *flakyCatalog) EntryStatus(ctx context.Context, bucket, id string) (inventory.EntryStatus, error) {
	if err := f.fail("EntryStatus"); err != nil {
		return inventory.EntryStatus{}, err
	}
	return f.Catalog.EntryStatus(ctx, bucket, id)
}

func (f *flakyCatalog) EntryStatuses(ctx context.Context, bucket string) ([]inventory.EntryStatus, error) {
	if err := f.fail("EntryStatuses"); err != nil {
		return nil, err
	}
	return f.Catalog.EntryStatuses(ctx, bucket)
}

func (f *flakyCatalog) Document(ctx context.Context, bucket, id string) ([]byte, error) {
	if err := f.fail("Document"); err != nil {
		return nil, err
	}
	return f.Catalog.Document(ctx, bucket, id)
}

func (f *flakyCatalog) Documents(ctx context.Context, bucket, after string, max int) ([][]byte, string, error) {
	if err := f.fail("Documents"); err != nil {
		return nil, "", err
	}
	return f.Catalog.Documents(ctx, bucket, after, max)
}

func (f *flakyCatalog) Configurations(ctx context.Context, bucket, after string, max int) ([]inventory.Entry, bool, error) {
	if err := f.fail("Configurations"); err != nil {
		return nil, false, err
	}
	return f.Catalog.Configurations(ctx, bucket, after, max)
}

func (f *flakyCatalog) RemoveConfiguration(ctx context.Context, bucket, id string) error {
	if err := f.fail("RemoveConfiguration"); err != nil {
		return err
	}
	return f.Catalog.RemoveConfiguration(ctx, bucket, id)
}

func (f *flakyCatalog) NestedConfigurations(ctx context.Context) ([]inventory.Entry, error) {
	if err := f.fail("NestedConfigurations"); err != nil {
		return nil, err
	}
	return f.Catalog.NestedConfigurations(ctx)
}

func (f *flakyCatalog) RemoveBucket(ctx context.Context, bucket string) error {
	if err := f.fail("RemoveBucket"); err != nil {
		return err
	}
	return f.Catalog.RemoveBucket(ctx, bucket)
}

func (f *flakyCatalog) Buckets(ctx context.Context, after string, max int) ([]string, error) {
	if err := f.fail("Buckets"); err != nil {
		return nil, err
	}
	return f.Catalog.Buckets(ctx, after, max)
}

func (f *flakyCatalog) Due(ctx context.Context, now time.Time, max int) ([]inventory.Entry, error) {
	if err := f.fail("Due"); err != nil {
		return nil, err
	}
	return f.Catalog.Due(ctx, now, max)
}

func (f *flakyCatalog) NextWake(ctx context.Context) (time.Time, error) {
	if err := f.fail("NextWake"); err != nil {
		return time.Time{}, err
	}
	return f.Catalog.NextWake(ctx)
}

func (f *flakyCatalog) Advance(ctx context.Context, steps []inventory.Step, by inventory.Holder, keep int) ([]stocktake.Run, error) {
	if err := f.fail("Advance"); err != nil {
		return nil, err
	}
	return f.Catalog.Advance(ctx, steps, by, keep)
}

func (f *flakyCatalog) SetDue(ctx context.Context, entries ...inventory.Entry) error {
	if err := f.fail("SetDue"); err != nil {
		return err
	}
	return f.Catalog.SetDue(ctx, entries...)
}

func (f *flakyCatalog) AddRun(ctx context.Context, r stocktake.Run, by inventory.Holder) (stocktake.Run, bool, error) {
	if err := f.fail("AddRun"); err != nil {
		return stocktake.Run{}, false, err
	}
	return f.Catalog.AddRun(ctx, r, by)
}

func (f *flakyCatalog) RetryRun(ctx context.Context, r stocktake.Run, fence inventory.Fence, by inventory.Holder) error {
	if err := f.fail("RetryRun"); err != nil {
		return err
	}
	return f.Catalog.RetryRun(ctx, r, fence, by)
}

func (f *flakyCatalog) StartRun(ctx context.Context, r stocktake.Run, fence inventory.Fence) error {
	if err := f.fail("StartRun"); err != nil {
		return err
	}
	return f.Catalog.StartRun(ctx, r, fence)
}

func (f *flakyCatalog) PublishRun(ctx context.Context, r stocktake.Run, fence inventory.Fence, manifest []byte, durable bool) ([]byte, error) {
	if err := f.fail("PublishRun"); err != nil {
		return nil, err
	}
	return f.Catalog.PublishRun(ctx, r, fence, manifest, durable)
}

func (f *flakyCatalog) RecordedReport(ctx context.Context, id string) ([]byte, error) {
	if err := f.fail("RecordedReport"); err != nil {
		return nil, err
	}
	return f.Catalog.RecordedReport(ctx, id)
}

func (f *flakyCatalog) TakeRuns(ctx context.Context, by inventory.Holder, max int) ([]inventory.HeldRun, error) {
	if err := f.fail("TakeRuns"); err != nil {
		return nil, err
	}
	return f.Catalog.TakeRuns(ctx, by, max)
}

func (f *flakyCatalog) RequestCancel(ctx context.Context, id string) error {
	if err := f.fail("RequestCancel"); err != nil {
		return err
	}
	return f.Catalog.RequestCancel(ctx, id)
}

func (f *flakyCatalog) EndRun(ctx context.Context, r stocktake.Run, fence inventory.Fence, end inventory.End) error {
	if err := f.fail("EndRun"); err != nil {
		return err
	}
	return f.Catalog.EndRun(ctx, r, fence, end)
}

func (f *flakyCatalog) RenewRuns(ctx context.Context, by inventory.Holder, progress map[string]stocktake.Progress) ([]inventory.HeldRun, error) {
	if err := f.fail("RenewRuns"); err != nil {
		return nil, err
	}
	return f.Catalog.RenewRuns(ctx, by, progress)
}

func (f *flakyCatalog) Run(ctx context.Context, id string) (stocktake.Run, error) {
	if err := f.fail("Run"); err != nil {
		return stocktake.Run{}, err
	}
	return f.Catalog.Run(ctx, id)
}

func (f *flakyCatalog) Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	if err := f.fail("Runs"); err != nil {
		return nil, err
	}
	return f.Catalog.Runs(ctx, bucket, id)
}

func (f *flakyCatalog) UnfinishedRuns(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	if err := f.fail("UnfinishedRuns"); err != nil {
		return nil, err
	}
	return f.Catalog.UnfinishedRuns(ctx, bucket, id)
}

func (f *flakyCatalog) RecoversFrom(ctx context.Context, id string) (late, failure bool, err error) {
	if err := f.fail("RecoversFrom"); err != nil {
		return false, false, err
	}
	return f.Catalog.RecoversFrom(ctx, id)
}

func (f *flakyCatalog) MarkLate(ctx context.Context, due time.Time, max int, notices func(stocktake.Run) []inventory.Notice) ([]stocktake.Run, error) {
	if err := f.fail("MarkLate"); err != nil {
		return nil, err
	}
	return f.Catalog.MarkLate(ctx, due, max, notices)
}

func (f *flakyCatalog) NextLate(ctx context.Context) (time.Time, error) {
	if err := f.fail("NextLate"); err != nil {
		return time.Time{}, err
	}
	return f.Catalog.NextLate(ctx)
}

func (f *flakyCatalog) LastListed(ctx context.Context, bucket, id string, kind stocktake.RunKind) (int64, error) {
	if err := f.fail("LastListed"); err != nil {
		return 0, err
	}
	return f.Catalog.LastListed(ctx, bucket, id, kind)
}

func (f *flakyCatalog) ForgetRuns(ctx context.Context, t time.Time) error {
	if err := f.fail("ForgetRuns"); err != nil {
		return err
	}
	return f.Catalog.ForgetRuns(ctx, t)
}

// TestEachCatalogOperationFailsOnce repeats a history of two days, a restart, and a
// deletion. Each time, another operation of the catalog fails. A caller gets the
// error; the scheduler repeats its work. No run is lost or made twice.
func TestEachCatalogOperationFailsOnce(t *testing.T) {
	failed := map[string]bool{}
	for n := 1; ; n++ {
		what := ""
		synctest.Test(t, func(t *testing.T) { what = failOnce(t, n) })
		if what == "" {
			t.Logf("%d operations: %v", n-1, failed)
			break
		}
		failed[what] = true
	}
	for _, what := range []string{"AddConfiguration", "Advance", "StartRun", "PublishRun", "RecordedReport", "EndRun", "RenewRuns", "TakeRuns", "UnfinishedRuns", "RemoveConfiguration", "ReplaceConfiguration", "RunConfiguration"} {
		if !failed[what] {
			t.Errorf("%s was never failed", what)
		}
	}
}

func failOnce(t *testing.T, n int) (what string) {
	w := newWorld(t, inventory.Options{})
	flaky := &flakyCatalog{n: n}
	w.wrap = func(c inventory.Catalog) inventory.Catalog {
		flaky.Catalog = c
		return flaky
	}
	w.close()

	// retry repeats a failed call once, as a client does.
	retry := func(name string, do func() error) {
		t.Helper()
		err := do()
		if errors.Is(err, errDisk) {
			err = do()
		}
		if err != nil {
			t.Fatalf("operation %d (%s) failed: %s: %v", n, flaky.what, name, err)
		}
	}
	start := func() {
		t.Helper()
		retry("start", func() error {
			if err := w.tryOpen(); err != nil {
				w.close()
				return err
			}
			return nil
		})
		w.serve()
	}
	w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
		task.Follow(func() stocktake.Progress { return stocktake.Progress{Listed: 1} })
		select {
		case <-time.After(20 * time.Second): // long enough for its progress to be saved
			return publish(ctx, task)
		case <-ctx.Done():
			return inventory.Outcome{}, ctx.Err()
		}
	})
	start()
	retry("put", func() error { return w.Put(t.Context(), "photos", configuration("a", daily)) })
	time.Sleep(10 * time.Second)
	w.close()
	start()
	time.Sleep(48*time.Hour + time.Minute)
	synctest.Wait()

	var runs []stocktake.Run
	retry("runs", func() (err error) {
		runs, err = w.Runs(t.Context(), "photos", "a")
		return err
	})
	if len(runs) != 3 {
		t.Errorf("operation %d (%s) failed: %d runs in two days, want 3", n, flaky.what, len(runs))
	}
	for _, r := range runs {
		if r.State != stocktake.Succeeded {
			t.Errorf("operation %d (%s) failed: run %+v", n, flaky.what, r)
		}
	}
	changed := configuration("a", daily)
	changed.Filter.Prefix = "changed"
	retry("replace", func() error {
		_, _, err := w.Replace(t.Context(), "photos", changed)
		if cfg, kept := w.catalog.Configuration(t.Context(), "photos", "a"); kept != nil || err == nil && cfg.Configuration.Filter.Prefix != "changed" {
			t.Errorf("operation %d (%s) failed: replace: %v, then %+v %v", n, flaky.what, err, cfg, kept)
		}
		return err
	})
	retry("delete", func() error { return w.Delete(t.Context(), "photos", "a") })
	if _, err := w.catalog.Configuration(t.Context(), "photos", "a"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
		t.Errorf("operation %d (%s) failed: after the deletion: %v", n, flaky.what, err)
	}
	w.close()
	return flaky.what
}
