// Package load sends requests from many clients at once and reports how long they
// took. Its loops are bounded in count and time.
package load

import (
	"context"
	"errors"
	"math/bits"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Load says how hard to press.
type Load struct {
	Clients int           // at once, each waiting for its answer
	For     time.Duration // no request begins later than this
	Most    int           // requests in all; 0: as many as the time allows
}

// An Outcome is the result of a Load.
type Outcome struct {
	Requests int
	Took     time.Duration // from the first request's beginning to the last one's end
	P50, P99 time.Duration // of one request, at most 1/64 less than measured
}

// PerSecond returns the number of requests answered per second.
func (o Outcome) PerSecond() float64 { return float64(o.Requests) / o.Took.Seconds() }

// Run calls do from each client again and again, with the number of the
// request, until the time or the count is up. An error of do ends it.
func (l Load) Run(ctx context.Context, do func(ctx context.Context, request int) error) (Outcome, error) {
	var next atomic.Int64
	var latencies histogram
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range l.Clients {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				begin := time.Now()
				if begin.Sub(start) >= l.For || l.Most > 0 && i >= l.Most {
					return nil
				}
				if err := do(ctx, i); err != nil {
					return err
				}
				latencies.add(time.Since(begin))
			}
		})
	}
	if err := g.Wait(); err != nil {
		return Outcome{}, err
	}
	took := time.Since(start)
	n := latencies.count()
	if n == 0 {
		return Outcome{}, errors.New("no request was made")
	}
	return Outcome{Requests: n, Took: took, P50: latencies.at(n / 2), P99: latencies.at(n * 99 / 100)}, nil
}

// A histogram counts durations. It has the same size for any number of them, so
// that a long load does not change the memory of the process that it measures.
type histogram [64 << mantissa]atomic.Int64

// mantissa is how many bits of a duration are kept after its first one.
const mantissa = 6

// add counts a duration.
func (h *histogram) add(d time.Duration) { h[slot(d)].Add(1) }

// slot returns the place of a duration in nanoseconds: below 1<<mantissa its own,
// otherwise that of its exponent and its first bits.
func slot(d time.Duration) int {
	shift := max(bits.Len64(uint64(d))-1-mantissa, 0)
	return shift<<mantissa + int(uint64(d)>>shift)
}

// least returns the least duration of a slot.
func least(slot int) time.Duration {
	shift := max(slot>>mantissa-1, 0)
	return time.Duration(slot-shift<<mantissa) << shift
}

// count returns how many durations have been added.
func (h *histogram) count() (n int) {
	for i := range h {
		n += int(h[i].Load())
	}
	return n
}

// at returns the n-th duration, from 0, in ascending order.
func (h *histogram) at(n int) time.Duration {
	for i := range h {
		if n -= int(h[i].Load()); n < 0 {
			return least(i)
		}
	}
	return 0
}
