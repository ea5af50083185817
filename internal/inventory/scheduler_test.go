package inventory_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/inventory"
)

// TestAYearOfRuns simulates a year in which the server is down for seven weeks, and
// lists when each configuration ran, and for which due time.
func TestAYearOfRuns(t *testing.T) {
	start := time.Date(2028, 1, 5, 2, 0, 0, 0, time.UTC) // a Wednesday of a leap year
	clk := clock.NewFrozen(start)
	w := newWorld(t, inventory.Options{Clock: clk, DayStart: inventory.DayStart{Zone: zone(t, "Europe/Berlin"), Hour: 2}, Keep: 1000})
	w.serve()
	schedules := []stocktake.Schedule{{Frequency: stocktake.Weekly}, {Frequency: stocktake.Once}, monthly(0), monthly(1), monthly(29), monthly(30), monthly(31), daily}
	name := func(s stocktake.Schedule) string { return fmt.Sprint(s.Frequency, "-", s.DayOfMonth) }
	for _, s := range schedules {
		w.put("photos", configuration(name(s), s))
	}
	advance := func(until time.Time) {
		t.Helper()
		if err := clk.Advance(t.Context(), until.Sub(clk.Now())); err != nil {
			t.Fatal(err)
		}
	}
	advance(time.Date(2028, 3, 10, 12, 0, 0, 0, time.UTC))
	w.close()
	advance(time.Date(2028, 4, 30, 12, 0, 0, 0, time.UTC))
	w.open()
	w.serve()
	advance(time.Date(2029, 1, 6, 0, 0, 0, 0, time.UTC))
	w.close()
	w.open()
	for _, s := range schedules {
		runs, err := w.Runs(t.Context(), "photos", name(s))
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(runs)
		var out []byte
		for _, r := range runs {
			out = fmt.Appendf(out, "%s  due %s  started %s  %s\n", r.Trigger, r.Due.Format(time.RFC3339), r.Started.Format(time.RFC3339), r.State)
		}
		golden(t, "year/"+name(s)+".txt", out)
	}
}

func TestSkipsWhileTheRunBeforeGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
			select {
			case <-time.After(50 * time.Hour):
				return publish(ctx, task)
			case <-ctx.Done():
				return inventory.Outcome{}, ctx.Err()
			}
		})
		w.put("photos", configuration("daily", daily))
		time.Sleep(49 * time.Hour)
		synctest.Wait()
		want := []stocktake.RunState{stocktake.Skipped, stocktake.Skipped, stocktake.Scanning}
		if got := w.history("photos", "daily"); !slices.Equal(got, want) {
			t.Errorf("after 49 h: %v, want %v", got, want)
		}
		runs, err := w.Runs(t.Context(), "photos", "daily")
		if err != nil || runs[0].Reason == "" {
			t.Errorf("skipped run %+v, %v: want a reason", runs[0], err)
		}
		if st := w.status("photos", "daily"); st.Last.State != stocktake.Scanning {
			t.Errorf("status shows %v, want the run that goes", st.Last)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		want = []stocktake.RunState{stocktake.Scanning, stocktake.Skipped, stocktake.Skipped, stocktake.Succeeded}
		if got := w.history("photos", "daily"); !slices.Equal(got, want) {
			t.Errorf("after 73 h: %v, want %v", got, want)
		}
		w.close()
	})
}

// TestManyAtOnce lets a thousand configurations of one bucket and a few of others fall
// due in one minute.
func TestManyAtOnce(t *testing.T) {
	clk := clock.NewFrozen(time.Date(2026, 1, 5, 2, 0, 0, 0, time.UTC))
	const max = 3
	w := newWorld(t, inventory.Options{Clock: clk, MaxRuns: max, Spread: time.Hour})
	going := make(chan struct{}, max)
	var order []string
	w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
		select {
		case going <- struct{}{}:
			defer func() { <-going }()
		default:
			t.Error("more runs at once than MaxRuns")
		}
		w.runner.mu.Lock()
		order = append(order, task.Run.Bucket)
		w.runner.mu.Unlock()
		return publish(ctx, task)
	})
	n := 300
	for i := range n {
		w.put("photos", configuration(fmt.Sprint("c", i), daily))
	}
	w.put("logs", configuration("daily", daily))
	w.serve()
	if err := clk.Advance(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	// It is taken as one of the first, but may be the last of them to get a processor.
	if at := slices.Index(order, "logs"); at < 0 || at > n/4 {
		t.Errorf("the other bucket came as number %d of %d", at, len(order))
	}
	first := len(order)
	if err := clk.Advance(t.Context(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if first != n+1 || len(order) != 2*(n+1) {
		t.Errorf("%d runs, then %d in all; want %d, then %d", first, len(order), n+1, 2*(n+1))
	}
	times := map[time.Time]bool{}
	for _, task := range w.runner.runs()[first:] {
		late := task.Run.Started.Sub(task.Run.Due)
		if late < 0 || late >= time.Hour {
			t.Errorf("started %v after it was due, want below the spread", late)
		}
		times[task.Run.Started] = true
	}
	if len(times) < n/2 {
		t.Errorf("%d starts at %d times, want them spread", n+1, len(times))
	}
}

func TestAutoDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		w.runner.set(func(context.Context, inventory.Task) (inventory.Outcome, error) {
			return inventory.Outcome{}, fmt.Errorf("write the report: %w", stocktake.ErrAccessDenied)
		})
		w.put("photos", configuration("once", stocktake.Schedule{Frequency: stocktake.Once, AutoDelete: new(true)}))
		synctest.Wait()
		st := w.status("photos", "once")
		if st.Last.State != stocktake.Failed || !st.Next.IsZero() {
			t.Fatalf("status %+v, last %+v", st, st.Last)
		}
		t.Log(st.Last.Reason)
		w.runner.set(nil)
		if _, err := w.Run(t.Context(), "photos", "once"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := w.Get(t.Context(), "photos", "once"); err == nil {
			t.Error("the configuration is still there after its run")
		}
		want := []stocktake.RunState{stocktake.Succeeded, stocktake.Failed}
		if got := w.history("photos", "once"); !slices.Equal(got, want) {
			t.Errorf("history %v, want %v", got, want)
		}
		w.close()
	})
}

func TestAnotherHourAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.put("photos", configuration("daily", daily))
		disabled := configuration("disabled", daily)
		disabled.IsEnabled = false
		w.put("photos", disabled)
		w.close()
		w.opts.Hour = 5
		w.open()
		if got, want := w.status("photos", "daily").Next, time.Date(2000, 1, 1, 21, 0, 0, 0, time.UTC); !got.Equal(want) {
			t.Errorf("next %v, want %v", got, want)
		}
		if got := w.status("photos", "disabled"); !got.Next.IsZero() || got.Last != nil {
			t.Errorf("disabled configuration: %+v", got)
		}
		w.close()
	})
}

// TestIdleCostsNothing lets a day pass in which nothing falls due: no request reaches
// the catalog, and the process sleeps except for a look at the wall clock each
// minute.
func TestIdleCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		flaky := &flakyCatalog{}
		w.wrap = func(c inventory.Catalog) inventory.Catalog {
			flaky.Catalog = c
			return flaky
		}
		w.close()
		w.open()
		w.serve()
		for i := range 50 {
			w.put("photos", configuration(fmt.Sprint(i), monthly(20)))
		}
		time.Sleep(12 * time.Hour) // also beyond when the first runs would have been late
		synctest.Wait()
		before, goroutines := flaky.calls, runtime.NumGoroutine()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := flaky.calls - before; got != 0 {
			t.Errorf("%d calls of the catalog in an idle day", got)
		}
		// The runtime and the database may start one of their own meanwhile; a
		// configuration may not have one, and there are 50.
		if got := runtime.NumGoroutine(); got > goroutines+10 {
			t.Errorf("%d goroutines became %d", goroutines, got)
		}
		w.close()
	})
}
