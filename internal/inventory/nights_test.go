package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// mixedOutcomes is a Runner whose runs succeed, except those of every seventh
// configuration, which fail, and those of configurations called slow, which take
// longer than a day.
type mixedOutcomes struct{ sameOutcome }

func (m mixedOutcomes) Run(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	id := t.Run.Configuration
	if strings.HasPrefix(id, "slow") {
		if err := sleep(ctx, 30*time.Hour); err != nil {
			return inventory.Outcome{}, err
		}
	}
	if n, err := strconv.Atoi(id); err == nil && n%7 == 0 {
		return inventory.Outcome{}, errors.New("no such luck")
	}
	return m.sameOutcome.Run(ctx, t)
}

// failingRemover is a ReportRemover that cannot remove anything.
type failingRemover struct{}

func (failingRemover) RemoveReports(context.Context, inventory.RemovalJob) ([]string, error) {
	return nil, errors.New("no right to delete")
}

// TestNightsLeaveNothingInMemory simulates a month in which runs succeed, fail, are
// skipped, late and cancelled, while configurations and buckets come and go. The last
// night leaves no more on the heap than the fifth.
func TestNightsLeaveNothingInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			configurations = 20
			noise          = 24 << 10 // bytes; 24 nights are some 600 runs: 40 bytes a run
		)
		w := newWorld(t, inventory.Options{MaxRuns: 3, Keep: 3, LateAfter: 6 * time.Hour, Spread: time.Hour, ReportRemover: failingRemover{}})
		w.engine = mixedOutcomes{}
		w.close()
		w.open()
		w.serve()
		for i := range configurations {
			w.put("photos", configuration(fmt.Sprint(i), daily))
		}
		w.put("photos", configuration("slow", daily))

		var early int64
		for night := range 30 {
			bucket := fmt.Sprint("night-", night)
			w.buckets.all[bucket] = w.buckets.all["photos"]
			w.put(bucket, configuration("a", daily))
			w.put("logs", configuration("again", daily))
			w.put("logs", configuration(fmt.Sprint("once", night%3), stocktake.Schedule{Frequency: stocktake.Once, AutoDelete: new(true)}))
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if err := w.Delete(t.Context(), "logs", "again"); err != nil {
				t.Fatal(err)
			}
			w.deleteBucket(bucket)
			if got := len(w.history("photos", "1")); got > 3 {
				t.Fatalf("night %d: %d runs are kept, want 3", night, got)
			}
			synctest.Wait()
			switch live := liveHeap(); night {
			case 5:
				early = live
			case 29:
				t.Logf("%d B live after the fifth night, %d after the last", early, live)
				if live > early+noise {
					t.Errorf("%d B more live than after the fifth night", live-early)
				}
			}
		}
		w.close()
	})
}

// TestWaitingRunsGo cancels or deletes runs that wait for a place: they stop
// waiting.
func TestWaitingRunsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{MaxRuns: 1})
		w.runner.set(hang)
		w.serve()
		w.put("logs", configuration("hangs", daily))
		synctest.Wait()
		off := configuration("cancelled", daily)
		off.IsEnabled = false
		w.put("photos", off)
		for range 3 {
			if _, err := w.Run(t.Context(), "photos", "cancelled"); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Cancel(t.Context(), "photos", "cancelled"); err != nil {
				t.Fatal(err)
			}
			w.put("photos", configuration("deleted", daily))
			if err := w.Delete(t.Context(), "photos", "deleted"); err != nil {
				t.Fatal(err)
			}
			w.buckets.all["gone"] = w.buckets.all["photos"]
			w.put("gone", configuration("a", daily))
			w.put("gone", configuration("b", daily))
			w.deleteBucket("gone")
		}
		w.put("photos", configuration("waits", daily))
		if load := w.Load(); load.Waiting != 1 || load.Running != 1 {
			t.Errorf("load %+v, want one run that waits", load)
		}
		w.runner.set(nil)
		if _, err := w.Cancel(t.Context(), "logs", "hangs"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if st := w.status("photos", "waits"); st.Last.State != stocktake.Succeeded {
			t.Errorf("the run that waited: %+v", st.Last)
		}
		w.close()
	})
}

// TestHistoryOfTheGoneIsForgotten keeps the run of a configuration that has
// removed itself for a month, in a server that is not restarted.
func TestHistoryOfTheGoneIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		w.put("photos", configuration("once", stocktake.Schedule{Frequency: stocktake.Once, AutoDelete: new(true)}))
		w.put("photos", configuration("daily", daily))
		time.Sleep(29 * 24 * time.Hour)
		synctest.Wait()
		if got := w.history("photos", "once"); len(got) != 1 {
			t.Errorf("after 29 days there are %v, want the run", got)
		}
		time.Sleep(3 * 24 * time.Hour)
		synctest.Wait()
		if _, err := w.Runs(t.Context(), "photos", "once"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("after 32 days: %v, want %v", err, stocktake.ErrNoSuchInventory)
		}
		w.close()
	})
}

// liveHeap returns how many bytes on the heap are live.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what the first has finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
