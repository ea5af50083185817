package clock

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Movable is a clock that can be put ahead. It is for tests and for
// `serve --clock-control`; never enable it for untrusted clients.
//
// All methods may be called at once from many goroutines.
type Movable struct {
	base   func() time.Time
	frozen bool // base stands still

	mu     sync.Mutex
	offset time.Duration
	pinned time.Time // not zero while Advance goes: time stands still between its steps
	timers []*movableTimer
	holds  int
	idle   chan struct{} // closed when holds comes down to 0; nil if no caller waits

	advancing sync.Mutex
}

// NewMovable returns a clock that advances with base, which returns the time as
// [Clock.Now] does; nil means the machine's clock.
func NewMovable(base func() time.Time) *Movable {
	if base == nil {
		base = Real{}.Now
	}
	return &Movable{base: base}
}

// NewFrozen returns a clock that shows start and only moves when it is advanced.
func NewFrozen(start time.Time) *Movable {
	start = start.Round(0).UTC()
	m := NewMovable(func() time.Time { return start })
	m.frozen = true
	return m
}

// Now implements [Clock].
func (m *Movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now()
}

func (m *Movable) now() time.Time {
	if !m.pinned.IsZero() {
		return m.pinned
	}
	return m.base().Add(m.offset)
}

// Hold stops Advance until release is called: work that the present instant has
// started is not finished. release may be called repeatedly.
func (m *Movable) Hold() (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holds++
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.release()
	})
}

func (m *Movable) release() {
	if m.holds--; m.holds == 0 && m.idle != nil {
		close(m.idle)
		m.idle = nil
	}
}

// Advance moves the clock ahead by d, which must not be negative, and fires the
// timers that fall due on the way in their order, each at its own time. It
// continues after a timer when the timer's owner has set it again or stopped it
// and the clock is not held. So everything that falls due at one instant is done
// before the next instant comes, and a month of schedules plays in the order it
// would have had.
//
// If ctx ends first, the clock stays where it has come to, and ctx's error is
// returned. Calls from several goroutines happen one after the other.
func (m *Movable) Advance(ctx context.Context, d time.Duration) error {
	m.advancing.Lock()
	defer m.advancing.Unlock()

	m.mu.Lock()
	m.pinned = m.now()
	target := m.pinned.Add(max(d, 0))
	m.mu.Unlock()
	defer m.unpin()

	for {
		if err := m.quiet(ctx); err != nil {
			return err
		}
		m.mu.Lock()
		t := m.earliest()
		if t == nil || t.at.After(target) {
			m.pinned = target
			m.mu.Unlock()
			return nil
		}
		if t.at.After(m.pinned) {
			m.pinned = t.at
		}
		t.fire()
		m.mu.Unlock()
	}
}

// unpin lets the clock flow again from where Advance has left it.
func (m *Movable) unpin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset = m.pinned.Sub(m.base())
	m.pinned = time.Time{}
	for _, t := range m.timers {
		t.arm()
	}
}

// quiet waits until the clock is not held.
func (m *Movable) quiet(ctx context.Context) error {
	for {
		m.mu.Lock()
		if m.holds == 0 {
			m.mu.Unlock()
			return ctx.Err()
		}
		if m.idle == nil {
			m.idle = make(chan struct{})
		}
		idle := m.idle
		m.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// earliest returns the timer that is due first; of several due at once, the one
// made first; nil if none is set.
func (m *Movable) earliest() (first *movableTimer) {
	for _, t := range m.timers {
		if !t.at.IsZero() && (first == nil || t.at.Before(first.at)) {
			first = t
		}
	}
	return first
}

// NewTimer implements [Clock].
func (m *Movable) NewTimer() Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &movableTimer{m: m, c: make(chan time.Time, 1)}
	m.timers = append(m.timers, t)
	return t
}

// A movableTimer is guarded by its clock's mutex.
type movableTimer struct {
	m     *Movable
	c     chan time.Time
	at    time.Time   // zero: not set
	real  *time.Timer // fires it when time passes by itself; nil if not set
	fired bool        // and its owner has not answered: a hold
}

func (t *movableTimer) C() <-chan time.Time { return t.c }

func (t *movableTimer) Set(at time.Time) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.clear()
	t.at = at
	t.arm()
}

func (t *movableTimer) Stop() {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.clear()
	if i := slices.Index(t.m.timers, t); i >= 0 {
		t.m.timers = slices.Delete(t.m.timers, i, i+1)
	}
}

func (t *movableTimer) clear() {
	t.at = time.Time{}
	if t.real != nil {
		t.real.Stop()
		t.real = nil
	}
	select {
	case <-t.c:
	default:
	}
	if t.fired {
		t.fired = false
		t.m.release()
	}
}

// arm makes the timer follow the time that passes by itself. During Advance none
// passes by itself, and Advance fires the timers.
func (t *movableTimer) arm() {
	if t.real != nil {
		t.real.Stop()
		t.real = nil
	}
	if t.at.IsZero() || !t.m.pinned.IsZero() {
		return
	}
	now := t.m.now()
	if !now.Before(t.at) {
		t.fire()
		return
	}
	if t.m.frozen {
		return
	}
	var self *time.Timer
	self = time.AfterFunc(min(t.at.Sub(now), recheck), func() {
		t.m.mu.Lock()
		defer t.m.mu.Unlock()
		if t.real == self {
			t.arm()
		}
	})
	t.real = self
}

// fire signals the owner and holds the clock for it.
func (t *movableTimer) fire() {
	t.at = time.Time{}
	t.fired = true
	t.m.holds++
	t.c <- t.m.now() // has room: one firing for each Set, and Set drains
}
