package lifecycle

import (
	"context"
	"time"
)

// A pace keeps changes to a number a second, so that a night's work leaves the
// store to its users. It is in time that really passes, not in that of the
// schedule, and used by one goroutine.
type pace struct {
	interval time.Duration // between two changes
	next     time.Time     // when the next may be made
}

// slack is how much may be made up for after a pause, and how long no timer is
// set for.
const slack = 10 * time.Millisecond

func (p *pace) wait(ctx context.Context) error {
	now := time.Now()
	if early := now.Add(-slack); p.next.Before(early) {
		p.next = early
	}
	p.next = p.next.Add(p.interval)
	ahead := p.next.Sub(now)
	if ahead <= slack {
		return ctx.Err()
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
