package inventory_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

func (w *world) replace(bucket string, cfg stocktake.InventoryConfiguration) stocktake.InventoryStatus {
	w.t.Helper()
	_, st, err := w.Replace(w.t.Context(), bucket, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// prefixed returns a configuration that lists the keys of a prefix.
func prefixed(s stocktake.Schedule, prefix string) stocktake.InventoryConfiguration {
	cfg := configuration("daily", s)
	cfg.Filter.Prefix = prefix
	return cfg
}

var (
	weekly = stocktake.Schedule{Frequency: stocktake.Weekly}
	once   = stocktake.Schedule{Frequency: stocktake.Once}
)

func TestReplaceKeepsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		w.put("photos", prefixed(daily, "old"))
		synctest.Wait()
		old, err := w.Get(t.Context(), "photos", "daily")
		if err != nil {
			t.Fatal(err)
		}
		kept := stocktake.Retention{Reports: 3}
		if _, err := w.Retain(t.Context(), "photos", "daily", kept); err != nil {
			t.Fatal(err)
		}
		before, st, err := w.Replace(t.Context(), "photos", prefixed(daily, "new"))
		if err != nil || string(before) != string(old) {
			t.Fatalf("replaced %s, want %s; %v", before, old, err)
		}
		if st.Retention != kept || st.Last == nil || st.Last.State != stocktake.Succeeded || st.Next.IsZero() {
			t.Errorf("%+v", st)
		}
		if now, err := w.Get(t.Context(), "photos", "daily"); err != nil || !strings.Contains(string(now), "<Prefix>new</Prefix>") {
			t.Errorf("%s, %v", now, err)
		}
		synctest.Wait()
		if got := len(w.runner.runs()); got != 1 {
			t.Errorf("%d runs, want none at once", got)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		tasks := w.runner.runs()
		if len(tasks) != 2 || tasks[1].Configuration.Filter.Prefix != "new" {
			t.Errorf("%d runs, the last %+v", len(tasks), tasks[len(tasks)-1].Configuration)
		}
		if got := w.history("photos", "daily"); len(got) != 2 {
			t.Errorf("history %v, want both runs", got)
		}
		w.close()
	})
}

// TestReplaceRefused tries what Put refuses: the old configuration stays as it is.
func TestReplaceRefused(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	w.put("photos", prefixed(daily, "old"))
	before := w.status("photos", "daily")
	nowhere := prefixed(weekly, "new")
	nowhere.Destination.Bucket = "nowhere"
	changes := incremental("daily")
	for _, test := range []struct {
		bucket string
		cfg    stocktake.InventoryConfiguration
		want   error
	}{
		{"photos", nowhere, nil},
		{"photos", changes, stocktake.ErrIncrementalDisabled},
		{"photos", configuration("unknown", daily), stocktake.ErrNoSuchInventory},
		{"logs", prefixed(daily, "new"), stocktake.ErrNoSuchInventory},
	} {
		_, _, err := w.Replace(t.Context(), test.bucket, test.cfg)
		if _, invalid := errors.AsType[*stocktake.InvalidArgumentError](err); err == nil || test.want != nil && !errors.Is(err, test.want) || test.want == nil && !invalid {
			t.Errorf("%s %s: %v, want %v", test.bucket, test.cfg.ID, err, test.want)
		}
	}
	e, err := w.catalog.Configuration(t.Context(), "photos", "daily")
	if err != nil || e.Configuration.Filter.Prefix != "old" || !e.Due.Equal(before.Next) {
		t.Errorf("%+v %v", e, err)
	}
	if all := w.history("photos", "daily"); len(all) != 1 {
		t.Errorf("history %v", all)
	}
}

// TestReplaceDuringARun replaces the configuration of a run in progress, and crashes.
// Each attempt uses the configuration that the run began with, and the next run uses
// the new one.
func TestReplaceDuringARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.runner.set(hang)
		w.serve()
		w.put("photos", prefixed(daily, "old"))
		synctest.Wait()
		changed := prefixed(daily, "new")
		changed.Destination.Prefix = "elsewhere"
		w.replace("photos", changed)
		w.close() // in the middle of the run

		w.runner.set(nil)
		w.open()
		w.serve()
		synctest.Wait()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		var made []string
		for _, task := range w.runner.runs() {
			made = append(made, task.Configuration.Filter.Prefix+" "+task.Configuration.Destination.Prefix)
		}
		if want := []string{"old inv", "old inv", "new elsewhere"}; !slices.Equal(made, want) {
			t.Errorf("attempts by %q, want %q", made, want)
		}
		if got := w.history("photos", "daily"); !slices.Equal(got, []stocktake.RunState{stocktake.Succeeded, stocktake.Succeeded}) {
			t.Errorf("history %v", got)
		}
		w.close()
	})
}

// TestReplaceOfWhatRemovesItself replaces a configuration that would be removed at the
// end of the run in progress: the new one stays.
func TestReplaceOfWhatRemovesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		end := make(chan struct{})
		w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
			<-end
			return publish(ctx, task)
		})
		w.serve()
		cfg := prefixed(once, "old")
		cfg.Schedule.AutoDelete = new(true)
		w.put("photos", cfg)
		synctest.Wait()
		var bad *stocktake.InvalidArgumentError
		if _, _, err := w.Replace(t.Context(), "photos", prefixed(once, "new")); !errors.As(err, &bad) || bad.Element != "Schedule/Frequency" {
			t.Errorf("one that runs once, during a run: %v", err)
		}
		w.replace("photos", prefixed(daily, "new"))
		close(end)
		synctest.Wait()
		if got := w.history("photos", "daily"); !slices.Equal(got, []stocktake.RunState{stocktake.Succeeded}) {
			t.Errorf("history %v", got)
		}
		if st := w.status("photos", "daily"); st.Next.IsZero() || st.Frequency != stocktake.Daily {
			t.Errorf("%+v", st)
		}
		w.close()
	})
}

// TestReplaceStarts replaces configurations that had no run soon: the run starts at
// once.
func TestReplaceStarts(t *testing.T) {
	disabled := prefixed(daily, "old")
	disabled.IsEnabled = false
	for _, test := range []struct {
		name     string
		old, new stocktake.InventoryConfiguration
		runs     int // after the replacement
	}{
		{"once", prefixed(daily, "old"), prefixed(once, "new"), 2},
		{"enabled", disabled, prefixed(weekly, "new"), 1},
		{"disabled", prefixed(daily, "old"), disabled, 1},
		{"as it is", prefixed(daily, "old"), prefixed(daily, "old"), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, inventory.Options{})
				w.serve()
				w.put("photos", test.old)
				synctest.Wait()
				w.replace("photos", test.new)
				synctest.Wait()
				if got := len(w.runner.runs()); got != test.runs {
					t.Errorf("%d runs, want %d", got, test.runs)
				}
				if st := w.status("photos", "daily"); st.Next.IsZero() != (test.name == "once" || test.name == "disabled") {
					t.Errorf("next %v", st.Next)
				}
				w.close()
			})
		})
	}
}

// TestReplaceCountsWeeksAnew replaces the schedule: a suspended configuration stays
// suspended, and the week begins with the day of the replacement.
func TestReplaceCountsWeeksAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		w.put("photos", prefixed(weekly, "old"))
		time.Sleep(3 * 24 * time.Hour)
		if st := w.replace("photos", prefixed(weekly, "new")); !st.Next.Equal(time.Date(2000, 1, 7, 16, 0, 0, 0, time.UTC)) {
			t.Errorf("the same schedule: next %v", st.Next)
		}
		w.replace("photos", prefixed(daily, "new"))
		if st := w.replace("photos", prefixed(weekly, "new")); !st.Next.Equal(time.Date(2000, 1, 10, 16, 0, 0, 0, time.UTC)) {
			t.Errorf("another schedule: next %v", st.Next)
		}
		if _, err := w.Suspend(t.Context(), "photos", "daily"); err != nil {
			t.Fatal(err)
		}
		if st := w.replace("photos", prefixed(daily, "new")); !st.Suspended || !st.Next.IsZero() {
			t.Errorf("suspended: %+v", st)
		}
		w.close()
	})
}

// TestReplaceWindows replaces a configuration with incremental reports. Each change is
// reported by the configuration of its time.
func TestReplaceWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindowWorld(t, inventory.Options{})
		w.serve()
		w.put("photos", incremental("daily"))
		w.change("a")
		pass(10 * time.Minute)
		w.change("b")
		changed := incremental("daily")
		changed.Incremental.OptionalFields = changed.Incremental.OptionalFields[:1]
		w.replace("photos", changed)
		w.change("c")
		pass(10 * time.Minute)
		w.wantWindows("daily", "00:00:00 a", "00:10:00 b c")

		// Without incremental reports, no changes are kept.
		w.replace("photos", configuration("daily", daily))
		if readers, err := w.journal.Readers(t.Context(), "photos"); err != nil || len(readers) != 0 {
			t.Errorf("readers %v, %v", readers, err)
		}
		w.change("d")
		pass(20 * time.Minute)
		w.wantWindows("daily", "00:00:00 a", "00:10:00 b c")

		// With them again, they begin here.
		w.replace("photos", incremental("daily"))
		w.change("e")
		pass(10 * time.Minute)
		w.wantWindows("daily", "00:00:00 a", "00:10:00 b c", "00:40:00 e")

		// Another prefix is journalled as soon as the replacement is answered.
		only := incremental("daily")
		only.Filter.Prefix = "x/"
		w.replace("photos", only)
		w.change("x/1")
		w.change("f")
		pass(10 * time.Minute)
		w.wantWindows("daily", "00:00:00 a", "00:10:00 b c", "00:40:00 e", "00:50:00 x/1")
		w.close()
	})
}

// TestReplaceEndsTheRunOfAWindow crashes after a replacement by a configuration
// without incremental reports: the interrupted run of a window ends.
func TestReplaceEndsTheRunOfAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{Journal: newJournal()})
		w.serve()
		w.put("photos", incremental("daily"))
		synctest.Wait()
		w.runner.set(hang)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		w.close()
		// The state after a process ended during the replacement.
		w.runner.set(nil)
		w.open()
		old, err := w.catalog.Configuration(t.Context(), "photos", "daily")
		if err != nil {
			t.Fatal(err)
		}
		now := old
		now.Configuration = configuration("daily", daily)
		if _, err := w.catalog.ReplaceConfiguration(t.Context(), inventory.Replacement{Old: old, New: now, EndsWindows: true}, inventory.Holder{Owner: "gone", Lease: time.Minute}); err != nil {
			t.Fatal(err)
		}
		w.serve()
		synctest.Wait()
		runs, err := w.Runs(t.Context(), "photos", "daily")
		if err != nil || runs[0].Kind != stocktake.IncrementalRun || runs[0].State != stocktake.Cancelled || runs[0].Reason == "" {
			t.Errorf("%+v, %v", runs, err)
		}
		w.close()
	})
}
