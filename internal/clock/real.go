package clock

import (
	"sync"
	"time"
)

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
