package engine

import (
	"context"
	"runtime"
	"time"
)

const (
	// leastRest is the shortest time a worker rests at once: shorter ones would
	// cost more in timers than they give.
	leastRest = 2 * time.Millisecond

	// longestStretch is how much of the time since the last step counts as work
	// at most: what takes longer than a batch was waiting, as for a disk.
	longestStretch = 20 * time.Millisecond
)

// A pace makes a worker step aside between batches.
type pace struct {
	share float64     // of the time that the worker may work while busy says so, 0 to 1
	busy  func() bool // nil: always
	since time.Time   // the last step
	owed  time.Duration
}

func newPace(o *Options) pace { return pace{share: o.Share, busy: o.Busy, since: time.Now()} }

// step is called between two batches, each of which takes a fraction of a
// millisecond. Goroutines that are ready, such as those of requests, go first:
// without that the scheduler would let them wait for up to 10 ms at a time. On
// top of it the worker sleeps as its share demands. Step returns ctx.Err() if ctx
// ends meanwhile.
func (p *pace) step(ctx context.Context) error {
	runtime.Gosched()
	if p.share >= 1 {
		return nil
	}
	now := time.Now()
	if p.busy == nil || p.busy() {
		p.owed += time.Duration(float64(min(now.Sub(p.since), longestStretch)) * (1 - p.share) / p.share)
	}
	p.since = now
	if p.owed < leastRest {
		return nil
	}
	timer := time.NewTimer(p.owed)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	p.owed, p.since = 0, time.Now()
	return nil
}
