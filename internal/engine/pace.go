package engine

import (
	"context"
	"runtime"
	"time"
)

const (
	// leastRest is the shortest time that a worker rests: shorter timers cost more
	// than they save.
	leastRest = 2 * time.Millisecond

	// longestStep bounds how much of the time since the last step counts as work:
	// a step that takes longer than a batch waited, for example for a disk.
	longestStep = 20 * time.Millisecond
)

// A pace makes a worker yield to requests between batches.
type pace struct {
	share    float64                    // of the time that the worker may work while there are requests, above 0 to 1
	requests func() (begun, open int64) // nil: there are always some
	begun    int64                      // requests at the last step
	since    time.Time                  // the last step
	owed     time.Duration
}

func newPace(o *Options) pace {
	p := pace{share: o.Share, requests: o.Requests}
	p.mustYield()
	return p
}

// mustYield begins a step. It reports whether the worker must yield: whether requests are
// open, or began since the last step. The latter matters because, with many clients
// that wait for short answers, most of the time no request is open.
func (p *pace) mustYield() bool {
	p.since = time.Now()
	if p.requests == nil {
		return true
	}
	before := p.begun
	begun, open := p.requests()
	p.begun = begun
	return open > 0 || begun != before
}

// step is called between two batches. A batch takes a fraction of a millisecond.
// Goroutines that are ready, such as those of requests, go first: otherwise the
// scheduler would let them wait for up to 10 ms at a time. In addition the worker
// sleeps as its share demands. Step returns ctx.Err() if ctx ends meanwhile.
func (p *pace) step(ctx context.Context) error {
	runtime.Gosched()
	if p.share >= 1 {
		return nil
	}
	before := p.since
	if p.mustYield() {
		p.owed += time.Duration(float64(min(p.since.Sub(before), longestStep)) * (1 - p.share) / p.share)
	}
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
	p.owed = 0
	p.mustYield()
	return nil
}
