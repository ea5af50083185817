// Package clock is the time of the service: the real one, or one that a test or an
// operator can move, so that a month of schedules passes in a second.
package clock

import (
	"sync"
	"time"
)

// A Clock returns the time and makes timers.
type Clock interface {
	// Now is the current time, in UTC and without a monotonic part, so that it
	// can be stored and compared with what was stored.
	Now() time.Time

	// NewTimer returns a timer that is not set.
	NewTimer() Timer
}

// A Timer fires at an instant, not after a duration: a clock that
// is moved, or a machine that slept, does not make it late.
type Timer interface {
	// C receives once for each instant that was set and came. What is received
	// is the clock's time.
	C() <-chan time.Time

	// Set makes the timer fire at t, at once if t has passed, instead of at
	// what was set before. The zero time means never. By calling Set the owner
	// also says that it has done what the last firing asked for; see
	// [Movable.Advance].
	Set(t time.Time)

	// Stop ends the use of the timer.
	Stop()
}

// A Holder is a clock that does not run ahead of work: see [Movable.Hold].
type Holder interface {
	Hold() (release func())
}

// A Latch holds a clock while its owner has work to do. The owner guards it with a
// lock of its own. Latches of clocks that cannot be held do nothing.
type Latch struct {
	Clock   Clock
	release func() // nil: it does not hold
}

// Hold keeps the clock from running ahead until Release; it may be called again
// before that.
func (l *Latch) Hold() {
	if h, ok := l.Clock.(Holder); ok && l.release == nil {
		l.release = h.Hold()
	}
}

// Release lets the clock advance again. Without an earlier Hold it does nothing.
func (l *Latch) Release() {
	if l.release != nil {
		l.release()
		l.release = nil
	}
}

// Real is the clock of the machine. The zero value is ready.
type Real struct{}

// Now implements [Clock].
func (Real) Now() time.Time { return time.Now().Round(0).UTC() }

// NewTimer implements [Clock].
func (Real) NewTimer() Timer { return &realTimer{c: make(chan time.Time, 1)} }

// recheck is how long a real timer sleeps at most before it looks at the wall
// clock again. The runtime's timers follow the monotonic clock, which stands
// still while a machine sleeps and does not follow a wall clock that is set: a
// run due at midnight would come late by a night's sleep.
const recheck = time.Minute

type realTimer struct {
	c  chan time.Time
	mu sync.Mutex
	t  *time.Timer // nil: not set
	at time.Time
}

func (t *realTimer) C() <-chan time.Time { return t.c }

func (t *realTimer) Set(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	if !at.IsZero() {
		t.at = at
		t.arm(Real{}.Now())
	}
}

func (t *realTimer) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
}

// clear forgets what was set, and a firing that was not received.
func (t *realTimer) clear() {
	if t.t != nil {
		t.t.Stop()
		t.t = nil
	}
	select {
	case <-t.c:
	default:
	}
}

// arm sleeps towards t.at.
func (t *realTimer) arm(now time.Time) {
	var self *time.Timer
	self = time.AfterFunc(min(max(t.at.Sub(now), 0), recheck), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.t != self {
			return // set again or stopped meanwhile
		}
		now := Real{}.Now()
		if now.Before(t.at) {
			t.arm(now)
			return
		}
		t.t = nil
		t.c <- now // has room: one firing for each Set, and Set drains
	})
	t.t = self
}
