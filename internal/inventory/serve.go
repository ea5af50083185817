package inventory

import (
	"context"
	"errors"
	"time"
)

// Serve makes due and requested runs until ctx ends. Then it ends the runs in progress, waits for
// them, and returns nil: they are not cancelled, but restart with the next New. It must be called
// at most once.
func (s *Service) Serve(ctx context.Context) error {
	due := s.clock.NewTimer()
	defer due.Stop()
	beat := time.NewTicker(heartbeat) // real time, as leases are
	beat.Stop()
	defer beat.Stop()
	takes := time.NewTicker(s.opts.Poll)
	if !s.opts.Shared {
		takes.Stop()
	}
	defer takes.Stop()
	patrol := time.NewTicker(s.patrolInterval())
	defer patrol.Stop()
	defer s.shutDown()

	beating, look := false, true
	var pause backoff
	for {
		next, err := s.runSchedule(ctx)
		if err != nil && ctx.Err() == nil {
			next = s.clock.Now().Add(pause.next())
			s.log.Error("catalog failed; due runs may be late; trying again", "retry_at", next, "err", err)
		} else {
			pause = 0
		}
		due.Set(next)
		if look {
			s.takeFree(ctx)
		}
		look = false
		if busy := s.dispatch(ctx) || s.doubt.Load(); busy != beating {
			if beating = busy; busy {
				beat.Reset(heartbeat)
			} else {
				beat.Stop()
			}
		}
		s.rest()
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
			look = s.mayTake.Swap(false)
			s.forgetOld(ctx)
		case <-due.C():
		case <-takes.C:
			look = true
		case <-beat.C:
			s.beat(ctx)
		case <-patrol.C:
			if err := s.patrol(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("catalog failed; runs may be late; trying again", "retry_in", s.patrolInterval(), "err", err)
			}
		}
	}
}

// rest releases the clock if no work is left now.
func (s *Service) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.active) == 0 && s.queue.len() == 0 && len(s.changed) == 0 {
		s.latch.Release()
	}
}

// forgetOld removes, once a day, old runs of removed configurations.
func (s *Service) forgetOld(ctx context.Context) {
	if err := s.forgetRuns(ctx, s.now()); err != nil && ctx.Err() == nil {
		s.log.Warn("cannot remove old runs of deleted configurations; trying again tomorrow", "err", err)
	}
}

// runSchedule makes due runs and windows, marks late runs, and returns when to do so again.
func (s *Service) runSchedule(ctx context.Context) (time.Time, error) {
	if now := s.now(); now.After(s.latest) {
		s.latest = now
	}
	forgotten := s.forgetAllDeleted(ctx)
	if mine, err := s.schedules(ctx); err != nil || !mine {
		return s.resume(), errors.Join(forgotten, err)
	}
	due, err := s.makeDue(ctx)
	if err != nil {
		return time.Time{}, err
	}
	window, err := s.makeWindows(ctx)
	if err != nil {
		return time.Time{}, err
	}
	due = earlier(due, s.resume())
	late, err := s.markLateRuns(ctx)
	return earlier(earlier(due, window), late), errors.Join(forgotten, err)
}

// backoff is the pause after a failure: 1 s, doubling up to a minute. The zero
// value precedes the first.
type backoff time.Duration

func (b *backoff) next() time.Duration {
	*b = min(max(2**b, backoff(time.Second)), backoff(time.Minute))
	return time.Duration(*b)
}

// dispatch starts waiting runs while places are free, and reports whether the process holds any
// run.
func (s *Service) dispatch(ctx context.Context) (busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil {
		w, ok := s.queue.pop(s.opts.MaxRuns, s.lists)
		if !ok {
			break
		}
		var attempts []*attempt
		for _, w := range s.companions(w) {
			a := newAttempt(ctx, w)
			s.active[w.id] = a
			attempts = append(attempts, a)
		}
		s.runs.Go(func() {
			s.executeAll(attempts, s.ended)
			s.mu.Lock()
			s.queue.leave(&w)
			delete(s.listing, w.bucket)
			s.mu.Unlock()
			s.wake()
		})
	}
	return len(s.active) > 0 || s.queue.len() > 0 || len(s.delayed) > 0
}

// ended removes an ended attempt. Runs that share a listing keep one place until all of them have
// ended.
func (s *Service) ended(a *attempt) {
	s.mu.Lock()
	delete(s.active, a.id)
	s.mu.Unlock()
	close(a.done)
	s.nudge() // it still has its place
}

// shutDown waits for the runs, whose contexts end with that of Serve, and releases the clock.
func (s *Service) shutDown() {
	timer := time.AfterFunc(patience, func() { close(s.ending) })
	s.runs.Wait()
	timer.Stop()
	s.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latch.Release()
}
