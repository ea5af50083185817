package lifecycle

import (
	"context"
	"time"
)

// A pace limits changes to a number per second, so that a pass leaves the store to
// its users. It uses real time, not the schedule's clock. One goroutine uses it.
type pace struct {
	interval time.Duration // between two changes
	next     time.Time     // when the next may be made
}

// slack is how much time a pace may make up for after a pause; shorter waits set
// no timer.
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
