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

// A passing error has a cause that may end by itself: a store cannot be reached, or
// is overloaded.
type passing interface {
	error
	MayPass() bool
}

// MayPass reports whether the cause of an error may pass by itself. An object.ErrUnavailable
// always may.
func MayPass(err error) bool {
	if errors.Is(err, object.ErrUnavailable) {
		return true
	}
	p, ok := errors.AsType[passing](err)
	return ok && p.MayPass()
}

// errReplaced ends a run that was to be tried again.
var errReplaced = errors.New("the configuration was replaced before the run could be tried again")

// retryPauses are the pauses before further attempts of a run that failed with a
// passing error, one for each attempt.
var retryPauses = [...]time.Duration{time.Minute, 5 * time.Minute, 20 * time.Minute}

// A delayed run waits until it is tried again.
type delayed struct {
	waiting
	at time.Time
}

// retry queues a failed run for another attempt, and reports whether it did: the
// cause may pass, few attempts were made, the next run is not due before, and the
// configuration is still that of the run. r is the run as it was when it failed.
//
// If processes share the catalog, no process holds the run until then, so that it
// is made even if some of them end meanwhile.
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
	err := s.insist(context.WithoutCancel(a.ctx), func(ctx context.Context) error {
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
		return true // the run is gone, or another process has it
	case err != nil:
		s.log.Error("cannot record the next attempt of a run; it restarts with the server", append(runAttrs(&r), "err", err)...)
		return true
	case givenUp:
		return false
	}
	s.log.Warn("run failed; trying again", "bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "attempt", r.Attempt-1, "at", at, "reason", reason)
	if s.opts.Shared {
		// Others look for it, too, though not as soon; this process may end.
		time.AfterFunc(pause, func() {
			s.postponed.Store(true)
			s.wake()
		})
		return true
	}
	s.mu.Lock()
	s.later = append(s.later, delayed{a.waiting, at})
	s.mu.Unlock()
	return true
}

// replacedSince reports whether a run that was tried before would be tried again by
// a configuration that was replaced meanwhile. The reason of a queued run is that of the
// attempt that has failed.
func (s *Service) replacedSince(ctx context.Context, r *stocktake.Run, cfg *stocktake.InventoryConfiguration) (bool, error) {
	if r.Reason == "" || r.Kind != stocktake.FullRun {
		return false, nil
	}
	e, err := s.catalog.Configuration(ctx, r.Bucket, r.Configuration)
	return err == nil && !reflect.DeepEqual(&e.Configuration, cfg), err
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
