package inventory_test

import (
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
	"github.com/stocktake/stocktake/internal/inventory"
)

func TestSuspendAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.serve()
		w.put("photos", configuration("daily", daily))
		st, err := w.Suspend(t.Context(), "photos", "daily")
		if err != nil || !st.Suspended || !st.Next.IsZero() || !st.Enabled {
			t.Fatalf("%+v, %v", st, err)
		}
		time.Sleep(72 * time.Hour)
		w.close()
		w.open()
		w.serve()
		synctest.Wait()
		if got := len(w.runner.runs()); got != 1 {
			t.Errorf("%d runs while suspended, want the first alone", got)
		}
		if _, err := w.Run(t.Context(), "photos", "daily"); err != nil {
			t.Errorf("run now: %v", err)
		}
		st, err = w.Resume(t.Context(), "photos", "daily")
		if err != nil || st.Suspended || !st.Next.After(time.Now()) {
			t.Fatalf("%+v, %v", st, err)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := len(w.runner.runs()); got != 3 {
			t.Errorf("%d runs, want the first, one by hand, and one when it was due", got)
		}
		for _, do := range []func(context.Context, string, string) (stocktake.InventoryStatus, error){w.Suspend, w.Resume, w.Check} {
			if _, err := do(t.Context(), "photos", "unknown"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
				t.Errorf("unknown: %v", err)
			}
		}
		w.close()
	})
}

func TestRetain(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	w.put("photos", configuration("daily", daily))
	want := stocktake.Retention{Reports: 7, Days: 30}
	st, err := w.Retain(t.Context(), "photos", "daily", want)
	if err != nil || st.Retention != want {
		t.Errorf("%+v, %v", st, err)
	}
	for _, r := range []stocktake.Retention{{Reports: -1}, {Days: inventory.MaxRetention + 1}} {
		_, err := w.Retain(t.Context(), "photos", "daily", r)
		if _, ok := errors.AsType[*stocktake.InvalidArgumentError](err); !ok {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if got := w.status("photos", "daily").Retention; got != want {
		t.Errorf("retention %+v after refusals, want %+v", got, want)
	}
}

func TestKeysThatAreTooLong(t *testing.T) {
	cfg := configuration(strings.Repeat("猫", 192), daily)
	cfg.Destination.Prefix = strings.Repeat("p", 512)
	for name, opts := range map[string]inventory.Options{"strict": {Strict: always}, "not strict": {}} { // no role can change it
		w := newWorld(t, opts)
		if err := w.Put(t.Context(), "photos", cfg); err == nil {
			t.Errorf("%s: accepted", name)
		} else if e, ok := errors.AsType[*stocktake.InvalidArgumentError](err); !ok || !strings.Contains(e.Reason, "1023") {
			t.Errorf("%s: %v", name, err)
		}
		cfg := cfg
		cfg.Destination.Prefix = strings.Repeat("p", 256)
		w.put("photos", cfg)
	}
}

// notifier notes events.
type notifier struct {
	mu     sync.Mutex
	events []string
	made   int
	kept   int
}

func (n *notifier) Notices(e inventory.Event) []inventory.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, fmt.Sprint(e.Run.Configuration, " ", e.Kind))
	n.made++
	return []inventory.Notice{{ID: fmt.Sprint(n.made), Target: "t", Made: e.Time, Due: e.Time, Payload: "{}"}}
}

func (n *notifier) Stored() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept++
}

func (n *notifier) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	events := n.events
	n.events = nil
	return events
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &notifier{}
		w := newWorld(t, inventory.Options{Notifier: told, LateAfter: time.Hour})
		w.serve()
		fail := func(context.Context, inventory.Task) (inventory.Outcome, error) {
			return inventory.Outcome{}, errors.New("no such luck")
		}
		slow := func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
			time.Sleep(5 * time.Hour)
			return publish(ctx, task)
		}
		expect := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := told.take(); !slices.Equal(got, want) {
				t.Errorf("%s: told %q, want %q", what, got, want)
			}
		}
		day := func() { time.Sleep(24 * time.Hour) }

		w.put("photos", configuration("a", daily))
		expect("first", "a succeeded")
		w.runner.set(fail)
		day()
		day()
		expect("two failures", "a failed", "a failed")
		w.runner.set(nil)
		day()
		expect("healed", "a succeeded", "a recovered")
		day()
		expect("next day", "a succeeded")
		w.runner.set(slow)
		time.Sleep(17*time.Hour + time.Second) // an hour and a second after it was due
		expect("slow, after an hour", "a late")
		if st := w.status("photos", "a"); !st.Last.Late || len(st.Warnings) != 1 {
			t.Errorf("status %+v, last %+v", st, st.Last)
		}
		time.Sleep(6 * time.Hour)
		expect("slow, at its end", "a succeeded", "a recovered")
		if st := w.status("photos", "a"); !st.Last.Late || len(st.Warnings) != 0 {
			t.Errorf("status %+v, last %+v", st, st.Last)
		}
		if notices, err := w.catalog.DueNotices(t.Context(), "t", time.Now(), 100); err != nil || len(notices) != 9 {
			t.Errorf("%d notices kept, %v; want 9", len(notices), err)
		}
		if told.kept != 9-2 {
			t.Errorf("notifier was woken %d times, want 7", told.kept)
		}
		w.close()
	})
}

// TestLateWhileItWaits: a run is late because it gets no free place in time, or
// because the server is down.
func TestLateWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &notifier{}
		w := newWorld(t, inventory.Options{Notifier: told, LateAfter: time.Hour, MaxRuns: 1})
		w.runner.set(hang)
		w.put("photos", configuration("a", daily))
		w.put("photos", configuration("b", daily))
		w.serve()
		time.Sleep(59 * time.Minute)
		w.close()
		time.Sleep(time.Hour)
		if got := told.take(); len(got) != 0 {
			t.Errorf("early: %q", got)
		}
		w.open()
		w.serve()
		time.Sleep(time.Hour)
		synctest.Wait()
		got := told.take()
		slices.Sort(got)
		if want := []string{"a late", "b late"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		w.close()
	})
}
