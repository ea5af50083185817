package admin

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/store"
)

const (
	// scrubEvery is how long after the end of a scrub the next one begins.
	scrubEvery = 30 * 24 * time.Hour

	// scrubRetry is how long the first scrub, or the next one after a failure, waits.
	scrubRetry = time.Hour

	// DefaultScrubRate is in bytes a second.
	DefaultScrubRate = 16 << 20
)

// Scrubs reads the whole store and compares it with its checksums, every month and on request of
// the account, one scrub at a time. A scrub that the end of the process interrupted resumes where
// it stopped.
type Scrubs struct {
	Account
	store   *store.Store
	rate    int64 // bytes a second, unless a request sets another
	monthly bool
	log     *slog.Logger

	mu    sync.Mutex
	last  scrubReply
	start chan store.ScrubOptions // has one exactly while last.Running and serve has not begun it
}

// NewScrubs returns the scrubs of a store, which serve makes. rate is in bytes a second;
// if it is not above 0, scrubs are made on request only, at the default rate.
func NewScrubs(account Account, st *store.Store, rate int64, log *slog.Logger) *Scrubs {
	sc := &Scrubs{Account: account, store: st, rate: rate, monthly: rate > 0, log: log, start: make(chan store.ScrubOptions, 1)}
	if !sc.monthly {
		sc.rate = DefaultScrubRate
	}
	return sc
}

// Serve makes the scrubs that are due or requested until ctx ends.
func (s *Scrubs) Serve(ctx context.Context) error {
	last, err := s.store.Scrubbed()
	for {
		var due <-chan time.Time
		if s.monthly {
			wait := time.Until(last.Add(scrubEvery))
			if err != nil || last.IsZero() {
				wait = scrubRetry
			}
			due = time.After(wait)
		}
		var opts store.ScrubOptions
		select {
		case <-ctx.Done():
			return nil
		case <-due:
			s.begin(store.ScrubOptions{BytesPerSecond: s.rate}) // or one was requested at the same time
			opts = <-s.start
		case opts = <-s.start:
		}
		var sum store.Scrub
		sum, err = s.scrub(ctx, opts)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && s.monthly:
			s.log.Error("the scrub of the store failed; it continues in an hour", "err", err)
		case err != nil:
			s.log.Error("the scrub of the store failed", "err", err)
		case sum.Damaged > 0:
			s.log.Error("the scrub of the store found damage", "objects", sum.Objects, "bytes", sum.Bytes, "damaged", sum.Damaged)
		default:
			s.log.Info("the scrub of the store found no damage", "objects", sum.Objects, "bytes", sum.Bytes)
		}
		last = time.Now()
	}
}

// State returns what metrics show.
func (s *Scrubs) State() (metrics.ScrubState, error) {
	last, err := s.store.Scrubbed()
	s.mu.Lock()
	defer s.mu.Unlock()
	return metrics.ScrubState{Last: last, Running: s.last.Running, Damaged: s.last.Damaged}, err
}

// begin requests a scrub from serve, and reports whether it will begin: not while
// one runs.
func (s *Scrubs) begin(opts store.ScrubOptions) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.Running {
		return false
	}
	s.last = scrubReply{Number: s.last.Number + 1, Running: true}
	s.start <- opts
	return true
}

// scrub makes a scrub and keeps its state.
func (s *Scrubs) scrub(ctx context.Context, opts store.ScrubOptions) (store.Scrub, error) {
	opts.Problem = func(p store.Problem) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.last.Problems) < scrubProblems {
			s.last.Problems = append(s.last.Problems, scrubProblem(p))
		}
	}
	opts.Progress = s.count
	sum, err := s.store.Scrub(ctx, opts)
	s.count(sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.Running = false; err != nil {
		s.last.Error = err.Error()
	}
	return sum, err
}

func (s *Scrubs) count(sum store.Scrub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last.Objects, s.last.Bytes, s.last.Damaged, s.last.Unchecked = sum.Objects, sum.Bytes, sum.Damaged, sum.Unchecked
}
