package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
)

// A passing error is one whose cause may pass by itself: another store cannot be
// reached, or is overloaded.
type passing interface {
	error
	MayPass() bool
}

// retryPauses are the pauses before a run is made again that has failed for a reason
// that may pass: one more attempt for each.
var retryPauses = [...]time.Duration{time.Minute, 5 * time.Minute, 20 * time.Minute}

// A delayed run waits until it is tried again.
type delayed struct {
	waiting
	at time.Time
}

// retry has a run made again that has failed with err, and reports whether it
// will be: if the reason may pass, there have been few attempts, and the next
// run is not due before. r is the run as it was when it failed.
func (s *Service) retry(a *attempt, cfg *stocktake.InventoryConfiguration, r stocktake.Run, cause error) bool {
	if p, ok := errors.AsType[passing](cause); !ok || !p.MayPass() || r.Attempt > len(retryPauses) {
		return false
	}
	at := s.now().Add(retryPauses[r.Attempt-1])
	a.mu.Lock()
	a.ending = true
	fence := s.fence(&a.run)
	a.mu.Unlock()
	reason := Reason(cause, cfg)
	r.Reason = fmt.Sprintf("attempt %d failed: %s; trying again at %s", r.Attempt, reason, at.Format(time.RFC3339))
	r.State, r.Attempt, r.Progress = stocktake.Queued, r.Attempt+1, stocktake.Progress{}
	var next time.Time
	err := s.insist(context.WithoutCancel(a.ctx), func(ctx context.Context) error {
		e, err := s.catalog.Configuration(ctx, a.bucket, a.configuration)
		if err != nil {
			return err
		}
		if next = e.Due; r.Kind == stocktake.FullRun && !next.IsZero() && !next.After(at) {
			return nil
		}
		next = time.Time{}
		return s.catalog.RetryRun(ctx, r, fence)
	})
	switch {
	case errors.Is(err, stocktake.ErrNoSuchRun), errors.Is(err, stocktake.ErrNoSuchInventory):
		return true // it is gone, or another process has it
	case err != nil:
		s.log.Error("that a run is to be tried again could not be recorded; it restarts with the server", append(runAttrs(&r), "err", err)...)
		return true
	case !next.IsZero():
		return false
	}
	s.log.Warn("run failed; trying again", "bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "attempt", r.Attempt-1, "at", at, "reason", reason)
	s.mu.Lock()
	s.later = append(s.later, delayed{a.waiting, at})
	s.mu.Unlock()
	return true
}

// resume queues the delayed runs that are to be made now, and returns when the next
// one is; the zero time if there is none.
func (s *Service) resume() (next time.Time) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.later[:0]
	for _, d := range s.later {
		if d.at.After(now) {
			kept = append(kept, d)
			next = earlier(next, d.at)
		} else {
			s.latch.Hold()
			s.queue.push(d.waiting)
		}
	}
	clear(s.later[len(kept):])
	s.later = kept
	return next
}

// dropLater forgets the delayed runs of a bucket that are selected, and returns how
// many. It requires the lock.
func (s *Service) dropLater(bucket string, selected func(*waiting) bool) (dropped int) {
	kept := s.later[:0]
	for _, d := range s.later {
		if d.bucket == bucket && selected(&d.waiting) {
			dropped++
		} else {
			kept = append(kept, d)
		}
	}
	clear(s.later[len(kept):])
	s.later = kept
	return dropped
}
