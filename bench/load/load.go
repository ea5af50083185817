// Package load sends requests from many clients at once and tells how long
// they took. Its loops are bounded in count and time.
package load

import (
	"context"
	"errors"
	"slices"
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

// An Outcome is what a Load found.
type Outcome struct {
	Requests int
	Took     time.Duration // from the first request's beginning to the last one's end
	P50, P99 time.Duration // of one request
}

// PerSecond returns the number of requests answered per second.
func (o Outcome) PerSecond() float64 { return float64(o.Requests) / o.Took.Seconds() }

// Run calls do from each client again and again, with the number of the
// request, until the time or the count is up. An error of do ends it.
func (l Load) Run(ctx context.Context, do func(ctx context.Context, request int) error) (Outcome, error) {
	var next atomic.Int64
	latencies := make([][]time.Duration, l.Clients)
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for c := range l.Clients {
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
				latencies[c] = append(latencies[c], time.Since(begin))
			}
		})
	}
	if err := g.Wait(); err != nil {
		return Outcome{}, err
	}
	took := time.Since(start)
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	if len(all) == 0 {
		return Outcome{}, errors.New("no request was made")
	}
	return Outcome{Requests: len(all), Took: took, P50: all[len(all)/2], P99: all[len(all)*99/100]}, nil
}
