package inventory_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/inventory"
)

// aheadBy is a clock that is ahead of the real one, for as long as the test says.
func aheadBy(d time.Duration) (clk clock.Clock, ahead *atomic.Int64) {
	ahead = new(atomic.Int64)
	ahead.Store(int64(d))
	return clock.NewMovable(func() time.Time { return clock.Real{}.Now().Add(time.Duration(ahead.Load())) }), ahead
}

// TestClockThatWasAhead puts configurations while the clock is ahead. Once the clock
// is right again, they fall due as often as they should, whether the server has seen
// the clock go back or was restarted.
func TestClockThatWasAhead(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(map[bool]string{false: "running", true: "restarted"}[restart], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clk, ahead := aheadBy(400 * 24 * time.Hour)
				w := newWorld(t, inventory.Options{Clock: clk})
				w.serve()
				weekly := stocktake.Schedule{Frequency: stocktake.Weekly}
				w.put("photos", configuration("daily", daily))
				w.put("photos", configuration("weekly", weekly))
				w.put("photos", configuration("monthly", monthly(0)))
				synctest.Wait()
				time.Sleep(time.Minute)
				if restart {
					w.close()
				}
				ahead.Store(0)
				if restart {
					w.open()
					w.serve()
				}
				time.Sleep(32 * 24 * time.Hour)
				synctest.Wait()
				for id, wanted := range map[string][]int{"daily": {1 + 31, 1 + 32}, "weekly": {1 + 4, 1 + 5}, "monthly": {1 + 1, 1 + 2}} {
					if runs := w.history("photos", id); !slices.Contains(wanted, len(runs)) {
						t.Errorf("%s: %d runs in 32 days, want one of %v", id, len(runs), wanted)
					}
				}
				w.close()
			})
		})
	}
}
