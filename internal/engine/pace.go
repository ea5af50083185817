package engine

import (
	"context"
	"runtime"
	"time"
)

// leastRest is the shortest time a worker rests at once: shorter ones would cost
// more in timers than they give.
const leastRest = 2 * time.Millisecond

// A pace makes a worker step aside between batches.
type pace struct {
	share float64   // of the time that the worker may work, 0 to 1
	since time.Time // when it began to, or last rested
}

func newPace(share float64) pace { return pace{share: share, since: time.Now()} }

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
	rest := time.Duration(float64(time.Since(p.since)) * (1 - p.share) / p.share)
	if rest < leastRest {
		return nil
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	p.since = time.Now()
	return nil
}
