package inventory

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A temporary error has a cause that may end by itself: a store cannot be reached, or
// is overloaded.
type temporary interface {
	error
	MayPass() bool
}

// MayPass reports whether an error is a passing one. An object.ErrUnavailable always may.
func MayPass(err error) bool {
	if errors.Is(err, object.ErrUnavailable) {
		return true
	}
	p, ok := errors.AsType[temporary](err)
	return ok && p.MayPass()
}

// errReplaced ends a run that waits for its next attempt.
var errReplaced = errors.New("the configuration was replaced before the run could be tried again")

// retryPauses are the pauses before the further attempts of a run that failed with a passing error.
var retryPauses = [...]time.Duration{time.Minute, 5 * time.Minute, 20 * time.Minute}

// A delayed run waits for its next attempt.
type delayed struct {
	waiting
	at time.Time
}

// retry queues a failed run for another attempt, and reports whether it did: the error is a passing
// one, attempts are left, the next run is not due earlier, and the configuration was not replaced.
// r is the run as it was when it failed.
//
// If processes share the catalog, no process holds the run until the attempt, so that the end of a
// process does not delay it.
func (s *Service) retry(a *attempt, cfg *stocktake.InventoryConfiguration, r stocktake.Run, cause error) bool {
	if !MayPass(cause) || r.Attempt > len(retryPauses) {
		return false
	}
	pause := retryPauses[r.Attempt-1]
	at := s.now().Add(pause)
	by := s.holder
	if s.opts.Shared {
		by = Holder{Owner: Postponed, Lease: pause}
	}
	a.mu.Lock()
	a.ending = true
	fence := s.fence(&a.run)
	a.mu.Unlock()
	reason := Reason(cause, cfg)
	r.Reason = fmt.Sprintf("attempt %d failed: %s; trying again at %s", r.Attempt, reason, at.Format(time.RFC3339))
	r.State, r.Attempt, r.Progress = stocktake.Queued, r.Attempt+1, stocktake.Progress{}
	givenUp := false
	err := s.retryUntilDone(context.WithoutCancel(a.ctx), func(ctx context.Context) error {
		e, err := s.catalog.Configuration(ctx, a.bucket, a.configuration)
		if err != nil {
			return err
		}
		if givenUp = r.Kind == stocktake.FullRun && (!e.Due.IsZero() && !e.Due.After(at) || !reflect.DeepEqual(&e.Configuration, cfg)); givenUp {
			return nil
		}
		return s.catalog.RetryRun(ctx, r, fence, by)
	})
	switch {
	case errors.Is(err, stocktake.ErrNoSuchRun), errors.Is(err, stocktake.ErrNoSuchInventory):
		return true // the run was removed, or another process has it
	case err != nil:
		s.log.Error("cannot record the next attempt of a run; it restarts with the server", append(runAttrs(&r), "err", err)...)
		return true
	case givenUp:
		return false
	}
	s.log.Warn("run failed; trying again", "bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "attempt", r.Attempt-1, "retry_at", at, "reason", reason)
	if s.opts.Shared {
		// Other processes look for it, too, though not as soon; this process may end.
		time.AfterFunc(pause, func() {
			s.postponed.Store(true)
			s.wake()
		})
		return true
	}
	s.mu.Lock()
	s.delayed = append(s.delayed, delayed{a.waiting, at})
	s.mu.Unlock()
	return true
}

// replacedSince reports whether the configuration of a run was replaced after an attempt failed. A
// queued run has the reason of its failed attempt.
func (s *Service) replacedSince(ctx context.Context, r *stocktake.Run, cfg *stocktake.InventoryConfiguration) (bool, error) {
	if r.Reason == "" || r.Kind != stocktake.FullRun {
		return false, nil
	}
	e, err := s.catalog.Configuration(ctx, r.Bucket, r.Configuration)
	return err == nil && !reflect.DeepEqual(&e.Configuration, cfg), err
}

// resume queues the delayed runs whose time has come, and returns the time of the next one; the
// zero time if there is none.
func (s *Service) resume() (next time.Time) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.delayed[:0]
	for _, d := range s.delayed {
		if d.at.After(now) {
			kept = append(kept, d)
			next = earlier(next, d.at)
		} else {
			s.latch.Hold()
			s.queue.push(d.waiting)
		}
	}
	clear(s.delayed[len(kept):])
	s.delayed = kept
	return next
}

// dropDelayed removes the selected delayed runs of a bucket, and returns their number. It requires
// the lock.
func (s *Service) dropDelayed(bucket string, selected func(*waiting) bool) (dropped int) {
	kept := s.delayed[:0]
	for _, d := range s.delayed {
		if d.bucket == bucket && selected(&d.waiting) {
			dropped++
		} else {
			kept = append(kept, d)
		}
	}
	clear(s.delayed[len(kept):])
	s.delayed = kept
	return dropped
}
