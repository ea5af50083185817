package inventory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/object"
)

func TestPutRefuses(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	w.buckets.all["foreign"] = object.Bucket{Owner: "2000000000000000", Region: "cn-hangzhou"}
	w.buckets.all["far"] = object.Bucket{Owner: account, Region: "cn-beijing"}
	w.put("photos", configuration("taken", daily))
	for _, tt := range []struct {
		name   string
		bucket string
		change func(*stocktake.InventoryConfiguration)
		ec     string // of an InvalidArgumentError
		err    error
	}{
		{name: "no source", bucket: "nowhere", err: stocktake.ErrNoSuchBucket},
		{name: "another account", change: func(c *stocktake.InventoryConfiguration) { c.Destination.AccountID = "2000000000000000" }, ec: "0020-00000028"},
		{name: "destination too short", change: func(c *stocktake.InventoryConfiguration) { c.Destination.Bucket = "ab" }, ec: "0020-00000031"},
		{name: "destination too long", change: func(c *stocktake.InventoryConfiguration) { c.Destination.Bucket = strings.Repeat("a", 64) }, ec: "0020-00000031"},
		{name: "destination no bucket name", change: func(c *stocktake.InventoryConfiguration) { c.Destination.Bucket = "Reports" }, ec: "0020-00000032"},
		{name: "destination missing", change: func(c *stocktake.InventoryConfiguration) { c.Destination.Bucket = "nowhere" }, ec: "0020-00000032"},
		{name: "destination of another account", change: func(c *stocktake.InventoryConfiguration) { c.Destination.Bucket = "foreign" }, ec: "0020-00000033"},
		{name: "destination in another region", change: func(c *stocktake.InventoryConfiguration) { c.Destination.Bucket = "far" }, ec: "0020-00000019"},
		{name: "destination before a taken id", change: func(c *stocktake.InventoryConfiguration) { c.ID, c.Destination.Bucket = "taken", "nowhere" }, ec: "0020-00000032"},
		{name: "taken", change: func(c *stocktake.InventoryConfiguration) { c.ID = "taken" }, err: stocktake.ErrInventoryExists},
		{name: "incremental", change: func(c *stocktake.InventoryConfiguration) {
			c.Incremental = &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow}
		}, err: stocktake.ErrIncrementalDisabled},
		{name: "kms", change: func(c *stocktake.InventoryConfiguration) {
			c.Destination.Encryption = stocktake.Encryption{SSEKMS: true, KeyID: "k"}
		}, ec: "0005-00000201"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := configuration("new", daily)
			if tt.change != nil {
				tt.change(&cfg)
			}
			bucket := tt.bucket
			if bucket == "" {
				bucket = "photos"
			}
			err := w.Put(t.Context(), bucket, cfg)
			if tt.ec != "" {
				e, ok := errors.AsType[*stocktake.InvalidArgumentError](err)
				if !ok || e.EC != tt.ec || e.Element == "" {
					t.Errorf("%v, want an invalid argument with EC %s", err, tt.ec)
				}
			} else if !errors.Is(err, tt.err) {
				t.Errorf("%v, want %v", err, tt.err)
			}
			if _, err := w.Get(t.Context(), "photos", "new"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
				t.Errorf("refused, but Get returned %v", err)
			}
		})
	}
}

func TestPutAccepts(t *testing.T) {
	w := newWorld(t, inventory.Options{
		AnyDestination: true, Journal: newJournal(),
		Encrypts: func(_ context.Context, _ string, cfg *stocktake.InventoryConfiguration) error {
			e := cfg.Destination.Encryption
			if e.KeyID == "known" {
				return nil
			}
			return errors.New("unknown key")
		},
	})
	w.buckets.all["far"] = object.Bucket{Owner: "2000000000000000", Region: "cn-beijing"}
	cfg := configuration("far", daily)
	cfg.Destination.Bucket = "far"
	cfg.Destination.Encryption = stocktake.Encryption{SSEKMS: true, KeyID: "known"}
	cfg.Incremental = &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow}
	w.put("photos", cfg)
	cfg.ID, cfg.Destination.Encryption.KeyID = "other", "unknown"
	if err := w.Put(t.Context(), "photos", cfg); err == nil {
		t.Error("a key that is unknown was accepted")
	}
}

// TestFoldersAreNotShared: a configuration that would write into the folder of one
// from an earlier version, whose id has a slash, is refused.
func TestFoldersAreNotShared(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	w.buckets.all["inv"] = w.buckets.all["photos"]
	old := catalogtest.Entry("inv", "photos/daily")
	old.Configuration.Destination.Prefix = ""
	if err := w.catalog.AddConfiguration(t.Context(), old, nil, catalogtest.Holder, 10); err != nil {
		t.Fatal(err)
	}
	cfg := configuration("daily", daily) // reports go to inv/photos/daily/
	err := w.Put(t.Context(), "photos", cfg)
	var invalid *stocktake.InvalidArgumentError
	if !errors.As(err, &invalid) || !strings.Contains(invalid.Reason, "photos/daily of bucket inv") {
		t.Errorf("the folder of another: %v", err)
	}
	w.put("logs", cfg)
	other := cfg
	other.ID = "weekly"
	w.put("photos", other)
	other = cfg
	other.Destination.Bucket = "logs"
	w.put("photos", other)
}

func TestListPages(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	if _, _, err := w.List(t.Context(), "photos", "", 100); !errors.Is(err, stocktake.ErrNoSuchInventory) {
		t.Errorf("of none: %v", err)
	}
	for i := range 5 {
		w.put("photos", configuration(fmt.Sprint(8+i), daily))
	}
	page, next, err := w.List(t.Context(), "photos", "10", 2)
	if err != nil || next != "12" || len(page) != 2 || !bytes.Contains(page[0], []byte("<Id>11</Id>")) || !bytes.Contains(page[1], []byte("<Id>12</Id>")) {
		t.Errorf("after 10: %s, next %q, %v", page, next, err)
	}
	page, next, err = w.List(t.Context(), "photos", "9", 2)
	if err != nil || next != "" || len(page) != 0 {
		t.Errorf("after the last: %s, next %q, %v", page, next, err)
	}
}

func TestLimitUnderConcurrentPuts(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	cfg := configuration("", daily)
	cfg.IsEnabled = false
	const near = stocktake.MaxInventories - 5
	for i := range near {
		cfg.ID = fmt.Sprint("c", i)
		w.put("photos", cfg)
	}
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		cfg := cfg
		cfg.ID = fmt.Sprint("last", i)
		wg.Go(func() { errs[i] = w.Put(t.Context(), "photos", cfg) })
	}
	wg.Wait()
	kept := 0
	for _, err := range errs {
		if err == nil {
			kept++
		} else if !errors.Is(err, stocktake.ErrInventoryExceedLimit) {
			t.Error(err)
		}
	}
	if near+kept != stocktake.MaxInventories {
		t.Errorf("%d configurations, want %d", near+kept, stocktake.MaxInventories)
	}
	cfg.ID = "c0"
	if err := w.Put(t.Context(), "photos", cfg); !errors.Is(err, stocktake.ErrInventoryExists) {
		t.Errorf("a taken id at the limit: %v", err)
	}
	st, err := w.Status(t.Context(), "photos", "")
	if err != nil || len(st) != stocktake.MaxInventories {
		t.Errorf("status of %d, %v", len(st), err)
	}
}

func TestRunNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		cfg := configuration("off", daily)
		cfg.IsEnabled = false
		w.put("photos", cfg)
		synctest.Wait()
		if got := w.history("photos", "off"); len(got) != 0 {
			t.Fatalf("a disabled configuration ran: %v", got)
		}
		w.runner.set(hang)
		first, err := w.Run(t.Context(), "photos", "off")
		if err != nil || first.State != stocktake.Queued || first.Trigger != stocktake.TriggerManual {
			t.Fatalf("%+v, %v", first, err)
		}
		synctest.Wait()
		again, err := w.Run(t.Context(), "photos", "off")
		if err != nil || again.ID != first.ID || again.State != stocktake.Scanning || again.Listed != 5 {
			t.Errorf("again: %+v, %v, want the run that goes", again, err)
		}
		if _, err := w.Run(t.Context(), "photos", "unknown"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("unknown: %v", err)
		}
		w.close()
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{MaxRuns: 1})
		w.runner.set(hang)
		w.put("photos", configuration("a", daily))
		w.put("photos", configuration("b", daily))
		w.serve()
		synctest.Wait()
		// a runs, b waits.
		for _, id := range []string{"b", "a"} {
			r, err := w.Cancel(t.Context(), "photos", id)
			if err != nil || r.State != stocktake.Cancelled || r.Configuration != id || r.Ended.IsZero() || r.Reason == "" {
				t.Errorf("cancel %s: %+v, %v", id, r, err)
			}
			if _, err := w.Cancel(t.Context(), "photos", id); !errors.Is(err, stocktake.ErrNoSuchRun) {
				t.Errorf("cancel %s again: %v", id, err)
			}
		}
		if _, err := w.Cancel(t.Context(), "photos", "unknown"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("unknown: %v", err)
		}
		synctest.Wait()
		if got := w.history("photos", "b"); !slices.Equal(got, []stocktake.RunState{stocktake.Cancelled}) {
			t.Errorf("b: %v", got)
		}

		// A run whose report is recorded continues to publish it.
		w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
			if err := record(ctx, task); err != nil {
				return inventory.Outcome{}, err
			}
			time.Sleep(time.Minute)
			return done, ctx.Err()
		})
		if _, err := w.Run(t.Context(), "photos", "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r, err := w.Cancel(t.Context(), "photos", "a")
		if err != nil || r.State != stocktake.Succeeded || r.Manifest != done.Manifest {
			t.Errorf("cancel too late: %+v, %v", r, err)
		}
		w.close()
	})
}

// TestCancelAtOnce cancels runs that are just being begun, and does not wait for
// the answer.
func TestCancelAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		cfg := configuration("a", daily)
		cfg.IsEnabled = false
		w.put("photos", cfg)
		for range 50 {
			if _, err := w.Run(t.Context(), "photos", "a"); err != nil {
				t.Fatal(err)
			}
			hasty, cancel := context.WithCancel(t.Context())
			go cancel()
			_, err := w.Cancel(hasty, "photos", "a")
			if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, stocktake.ErrNoSuchRun) {
				t.Fatal(err)
			}
			synctest.Wait()
			if runs, err := w.catalog.UnfinishedRuns(t.Context(), "photos", "a"); err != nil || len(runs) > 0 {
				t.Fatalf("no process works on it, but it is unfinished: %+v, %v", runs, err)
			}
		}
		w.close()
	})
}

func TestBucketDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.runner.set(hang)
		w.serve()
		w.put("photos", configuration("a", daily))
		w.put("logs", configuration("a", daily))
		synctest.Wait()
		w.buckets.delete("photos")
		if err := w.BucketDeleted(t.Context(), "photos"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Get(t.Context(), "photos", "a"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("configuration of a deleted bucket: %v", err)
		}
		if st := w.status("logs", "a"); st.Last.State != stocktake.Scanning {
			t.Errorf("run of the other bucket: %+v", st.Last)
		}
		w.close()

		// A bucket that was deleted while the service did not run.
		w.buckets.delete("logs")
		w.open()
		if _, err := w.Get(t.Context(), "logs", "a"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("configuration of a bucket that is gone: %v", err)
		}
		w.close()
	})
}

// A client that leaves once its bucket is gone cannot ask for that again.
func TestBucketDeletedForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.runner.set(hang)
		w.serve()
		w.put("photos", configuration("a", daily))
		synctest.Wait()
		w.buckets.delete("photos")
		left, leave := context.WithCancel(t.Context())
		leave()
		if err := w.BucketDeleted(left, "photos"); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := w.Get(t.Context(), "photos", "a"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("configuration of a deleted bucket: %v", err)
		}
		w.close()
	})
}

func TestGivesUpOnARunThatEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{MaxAttempts: 3})
		w.runner.set(hang)
		w.put("photos", configuration("a", daily))
		for range 4 {
			w.serve()
			synctest.Wait()
			w.close()
			w.open()
		}
		st := w.status("photos", "a")
		if st.Last.State != stocktake.Failed || st.Last.Attempt != 3 || !strings.Contains(st.Last.Reason, "3 times") {
			t.Errorf("after four starts: %+v", st.Last)
		}
		if got := w.runner.runs(); len(got) != 3 || len(w.runner.clean) != 1 {
			t.Errorf("%d attempts, cleaned %v; want 3, and once", len(got), w.runner.clean)
		}
		w.close()
	})
}

func TestStatusWarns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{Roles: refusing{}})
		w.serve()
		w.put("photos", configuration("a", daily))
		synctest.Wait()
		st := w.status("photos", "a")
		if len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "oss:PutObject") {
			t.Errorf("warnings %q of a role without rights", st.Warnings)
		}
		// The rights of a role in a missing bucket are not checked.
		w.buckets.delete("reports")
		gone := w.status("photos", "a")
		if len(gone.Warnings) != 1 || !strings.Contains(gone.Warnings[0], "reports") {
			t.Errorf("warnings %q without a destination", gone.Warnings)
		}
		if st.Last.State != stocktake.Failed || !strings.Contains(st.Last.Reason, "oss:PutObject") {
			t.Errorf("run of a role without rights: %+v", st.Last)
		}
		if len(w.runner.runs()) != 0 {
			t.Error("a role without rights had its report made")
		}
		w.close()
	})
}

func TestPutRefusesRoleInProduction(t *testing.T) {
	w := newWorld(t, inventory.Options{Roles: refusing{}, Strict: always})
	if err := w.Put(t.Context(), "photos", configuration("a", daily)); !errors.Is(err, stocktake.ErrAccessDenied) {
		t.Errorf("%v, want %v", err, stocktake.ErrAccessDenied)
	}
}

// refusing are roles without rights.
type refusing struct{}

func (refusing) MayReport(context.Context, string, *stocktake.InventoryConfiguration) error {
	return fmt.Errorf("write inv/photos/a/: %w", stocktake.ErrAccessDenied)
}

// TestLoad checks the counts, also after a restart, when runs end that this process
// did not begin.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{MaxRuns: 1})
		w.runner.set(hang)
		w.put("photos", configuration("b", daily))
		w.put("photos", configuration("a", daily))
		w.put("logs", configuration("a", daily))
		w.serve()
		synctest.Wait()
		if got, want := w.Load(), (inventory.Load{Waiting: 2, Running: 1}); got != want {
			t.Errorf("load %+v, want %+v", got, want)
		}
		w.close()
		w.open()
		if got, want := w.Load(), (inventory.Load{Waiting: 3}); got != want {
			t.Errorf("load after a restart %+v, want %+v", got, want)
		}
		w.runner.set(nil)
		w.serve()
		synctest.Wait()
		if got, want := w.Load(), (inventory.Load{}); got != want {
			t.Errorf("load at the end %+v, want %+v", got, want)
		}
		w.close()
	})
}

// always is a service that refuses configurations whose runs would fail.
func always() bool { return true }
