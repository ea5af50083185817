package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake/internal/clock"
)

var start = time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)

func TestRealTimerFiresAtItsInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.Real{}
		timer := c.NewTimer()
		defer timer.Stop()
		for _, d := range []time.Duration{-time.Hour, 0, time.Second, time.Minute, 25*time.Hour + time.Millisecond} {
			begin := c.Now()
			timer.Set(begin.Add(d))
			got := <-timer.C()
			if want := begin.Add(max(d, 0)); !got.Equal(want) {
				t.Errorf("set %v ahead: fired after %v", d, got.Sub(begin))
			}
		}
	})
}

func TestRealTimerSetAgainOrStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.Real{}
		timer := c.NewTimer()
		timer.Set(c.Now()) // fires, and the firing is not received
		synctest.Wait()
		timer.Set(c.Now().Add(time.Hour))
		begin := c.Now()
		if got := <-timer.C(); got.Sub(begin) != time.Hour {
			t.Errorf("fired after %v, want 1h", got.Sub(begin))
		}
		timer.Set(c.Now().Add(time.Hour))
		timer.Set(time.Time{})
		time.Sleep(2 * time.Hour)
		timer.Set(c.Now().Add(time.Hour))
		timer.Stop()
		time.Sleep(2 * time.Hour)
		select {
		case got := <-timer.C():
			t.Errorf("fired at %v, want never", got)
		default:
		}
	})
}

// play owns a timer: it notes each firing and sets it every hours later.
func play(c clock.Clock, every time.Duration, fired func(at time.Time)) (stop func()) {
	timer := c.NewTimer()
	timer.Set(c.Now().Add(every))
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer timer.Stop()
		for {
			select {
			case at := <-timer.C():
				fired(at)
				timer.Set(at.Add(every))
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

func TestAdvanceFiresInOrder(t *testing.T) {
	c := clock.NewFrozen(start)
	type event struct {
		owner string
		after time.Duration
	}
	var events []event // written by one owner at a time: Advance waits for each
	note := func(owner string) func(time.Time) {
		return func(at time.Time) {
			if !at.Equal(c.Now()) {
				t.Errorf("%s fired at %v, the clock shows %v", owner, at, c.Now())
			}
			events = append(events, event{owner, at.Sub(start)})
		}
	}
	defer play(c, 3*time.Hour, note("three"))()
	defer play(c, 2*time.Hour, note("two"))()
	if err := c.Advance(t.Context(), 7*time.Hour); err != nil {
		t.Fatal(err)
	}
	want := []event{{"two", 2 * time.Hour}, {"three", 3 * time.Hour}, {"two", 4 * time.Hour}, {"three", 6 * time.Hour}, {"two", 6 * time.Hour}}
	if len(events) != len(want) {
		t.Fatalf("events %v, want %v", events, want)
	}
	for i := range want {
		if events[i] != want[i] {
			t.Fatalf("events %v, want %v", events, want)
		}
	}
	if got := c.Now().Sub(start); got != 7*time.Hour {
		t.Errorf("the clock shows %v, want 7h", got)
	}
}

func TestAdvanceWaitsForHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.NewFrozen(start)
		latch := clock.Latch{Clock: c}
		latch.Hold()
		latch.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Advance(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("held: %v, want a timeout", err)
		}
		if !c.Now().Equal(start) {
			t.Errorf("held: the clock shows %v", c.Now())
		}
		latch.Release()
		latch.Release()
		if err := c.Advance(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if got := c.Now().Sub(start); got != time.Hour {
			t.Errorf("the clock shows %v, want 1h", got)
		}
	})
}

func TestMovableFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.NewMovable(nil)
		begin := c.Now()
		timer := c.NewTimer()
		defer timer.Stop()
		timer.Set(begin.Add(3 * time.Hour))
		time.Sleep(time.Hour)
		if err := c.Advance(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if got := c.Now().Sub(begin); got != 2*time.Hour {
			t.Errorf("after an hour and another: %v", got)
		}
		if got := <-timer.C(); got.Sub(begin) != 3*time.Hour {
			t.Errorf("fired after %v, want 3h", got.Sub(begin))
		}
		if got := clock.Real.Now(clock.Real{}).Sub(begin); got != 2*time.Hour {
			t.Errorf("the real time that passed: %v, want 2h", got)
		}
		timer.Set(time.Time{})
	})
}

func TestHoldOfAClockThatCannotBeHeld(t *testing.T) {
	latch := clock.Latch{Clock: clock.Real{}}
	latch.Release()
	latch.Hold()
	latch.Release()
}
