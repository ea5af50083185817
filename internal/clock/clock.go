// Package clock is the time that the service lives by: the real one, or one
// that a test or an operator can move, so that a month of schedules passes in a
// second.
package clock

import "time"

// A Clock returns the time and makes timers.
type Clock interface {
	// Now is the current time, in UTC and without a monotonic part, so that it
	// can be stored and compared with what was stored.
	Now() time.Time

	// NewTimer returns a timer that is not set.
	NewTimer() Timer
}

// A Timer wakes its one owner at an instant, not after a duration: a clock that
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

// Hold holds c if it can be held. The release is never nil and may be called
// more than once.
func Hold(c Clock) (release func()) {
	if h, ok := c.(Holder); ok {
		return h.Hold()
	}
	return func() {}
}
