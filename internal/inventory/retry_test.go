package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/object"
)

// rarely is a Poll for tests that have one process: a look each second of an hour takes long.
const rarely = time.Minute

// An awayError is the error of a store that cannot be reached.
type awayError struct{ forever bool }

func (e awayError) Error() string { return "the store is away" }
func (e awayError) MayPass() bool { return !e.forever }

// failing returns a run that fails with err the given number of times, and then
// publishes. It records when it is made.
func failing(times int, err error, made *[]time.Time) func(context.Context, inventory.Task) (inventory.Outcome, error) {
	return func(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
		*made = append(*made, time.Now())
		if t.Run.Attempt != len(*made) {
			return inventory.Outcome{}, fmt.Errorf("attempt %d is number %d", len(*made), t.Run.Attempt)
		}
		if len(*made) <= times {
			return inventory.Outcome{}, fmt.Errorf("scan: %w", err)
		}
		return publish(ctx, t)
	}
}

// A run that fails for a temporary reason is tried again a few times, after growing
// pauses. Its history shows the attempts.
func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fails  int
		err    error
		state  stocktake.RunState
		after  []time.Duration // attempts, since the first
		reason string
	}{
		{"passes", 2, awayError{}, stocktake.Succeeded, []time.Duration{0, time.Minute, 6 * time.Minute}, "attempt 2 failed: scan: the store is away; trying again at "},
		{"stays", 9, awayError{}, stocktake.Failed, []time.Duration{0, time.Minute, 6 * time.Minute, 26 * time.Minute}, "scan: the store is away"},
		{"database", 1, object.ErrUnavailable, stocktake.Succeeded, []time.Duration{0, time.Minute}, ""},
		{"for good", 9, awayError{forever: true}, stocktake.Failed, []time.Duration{0}, "scan: the store is away"},
		{"another", 9, errors.New("boom"), stocktake.Failed, []time.Duration{0}, "scan: boom"},
	} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " shared ", shared), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, inventory.Options{Shared: shared, Poll: rarely})
					var made []time.Time
					w.runner.set(failing(tt.fails, tt.err, &made))
					w.put("photos", configuration("daily", daily))
					w.serve()
					time.Sleep(time.Hour)
					synctest.Wait()
					w.close()
					var after []time.Duration
					for _, at := range made {
						after = append(after, at.Sub(made[0]).Truncate(time.Second))
					}
					w.open()
					runs, err := w.Runs(t.Context(), "photos", "daily")
					if err != nil || len(runs) != 1 {
						t.Fatalf("%+v, %v", runs, err)
					}
					if r := runs[0]; r.State != tt.state || r.Attempt != len(tt.after) || !slices.Equal(after, tt.after) || !strings.HasPrefix(r.Reason, tt.reason) {
						t.Errorf("%s at attempt %d, made after %v, want %v; %s", r.State, r.Attempt, after, tt.after, r.Reason)
					}
				})
			})
		}
	}
}

// A run that waits to be tried again can be cancelled, is deleted with its
// configuration, is made at once after a restart, and is given up if the next run is
// due earlier.
func TestRetryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{})
		w.runner.set(func(context.Context, inventory.Task) (inventory.Outcome, error) {
			return inventory.Outcome{}, awayError{}
		})
		for _, id := range []string{"cancelled", "deleted", "restarted"} {
			w.put("photos", configuration(id, daily))
		}
		w.serve()
		synctest.Wait()
		if l := w.Load(); l.Waiting != 3 || l.Running != 0 {
			t.Errorf("%+v", l)
		}
		st := w.status("photos", "restarted")
		if st.Last.State != stocktake.Queued || st.Last.Attempt != 2 || !strings.Contains(st.Last.Reason, "the store is away; trying again at ") {
			t.Errorf("%+v", st.Last)
		}
		if r, err := w.Cancel(t.Context(), "photos", "cancelled"); err != nil || r.State != stocktake.Cancelled {
			t.Errorf("%+v, %v", r, err)
		}
		if err := w.Delete(t.Context(), "photos", "deleted"); err != nil {
			t.Error(err)
		}
		if l := w.Load(); l.Waiting != 1 {
			t.Errorf("%+v", l)
		}
		w.close()
		w.runner.set(publish)
		w.open()
		w.serve()
		synctest.Wait()
		if got := w.status("photos", "restarted").Last; got.State != stocktake.Succeeded || got.Attempt != 2 {
			t.Errorf("after a restart: %+v", got)
		}

		w.runner.set(func(context.Context, inventory.Task) (inventory.Outcome, error) {
			return inventory.Outcome{}, awayError{}
		})
		next := w.status("photos", "restarted").Next
		time.Sleep(time.Until(next.Add(-30 * time.Second)))
		if _, err := w.Run(t.Context(), "photos", "restarted"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.status("photos", "restarted").Last; got.State != stocktake.Failed || got.Attempt != 1 {
			t.Errorf("just before the next is due: %+v", got)
		}
		w.close()
	})
}

// A failed run is not tried again if its configuration was replaced, before it failed
// or while it waits. Its files are removed.
func TestRetryOfAReplacedConfiguration(t *testing.T) {
	for _, shared := range []bool{false, true} {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprint("shared ", shared, " before ", before), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, inventory.Options{Shared: shared, Poll: rarely})
					fail, made := make(chan struct{}), 0
					w.runner.set(func(context.Context, inventory.Task) (inventory.Outcome, error) {
						made++
						<-fail
						return inventory.Outcome{}, awayError{}
					})
					w.put("photos", configuration("daily", daily))
					w.serve()
					synctest.Wait()
					if !before {
						close(fail)
						synctest.Wait()
					}
					changed := configuration("daily", daily)
					changed.Filter.Prefix = "other/"
					if _, _, err := w.Replace(t.Context(), "photos", changed); err != nil {
						t.Fatal(err)
					}
					if before {
						close(fail)
					}
					time.Sleep(time.Hour)
					synctest.Wait()
					r := w.status("photos", "daily").Last
					if r.State != stocktake.Failed || made != 1 || !strings.Contains(r.Reason, "the store is away") {
						t.Errorf("made %d times: %+v", made, r)
					}
					if cleaned := w.runner.clean; len(cleaned) != 1 {
						t.Errorf("cleaned: %v", cleaned)
					}
					w.close()
				})
			})
		}
	}
}
