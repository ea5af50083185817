package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/stocktake/stocktake"
)

// Serve makes the runs that are due, or asked for, until ctx ends. Then it ends
// the runs that go, waits for them, and returns nil: they are not cancelled, but
// start anew with the next New. It must be called at most once.
func (s *Service) Serve(ctx context.Context) error {
	due, save := s.clock.NewTimer(), s.clock.NewTimer()
	defer due.Stop()
	defer save.Stop()
	defer s.shutDown()

	saving := false // save is set
	var pause backoff
	for {
		s.mu.Lock()
		held := s.held
		s.held = nil
		s.mu.Unlock()
		next, err := s.keepTime(ctx)
		if err != nil && ctx.Err() == nil {
			next = s.clock.Now().Add(pause.next())
			s.log.Error("the catalog fails, so that runs that are due may be made late; trying again", "at", next, "err", err)
		} else {
			pause = 0
		}
		due.Set(next)
		letGo(held)
		if busy := s.dispatch(ctx); busy != saving {
			saving = busy
			save.Set(s.saveTime(busy))
		}
		if err := s.forgetRuns(ctx, s.now()); err != nil && ctx.Err() == nil {
			s.log.Warn("old runs of configurations that are gone could not be forgotten; trying again tomorrow", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		case <-due.C():
		case <-save.C():
			s.saveProgress(ctx)
			save.Set(time.Time{})
			saving = false
		}
	}
}

// keepTime does what the time has come for and gives when to look again.
func (s *Service) keepTime(ctx context.Context) (time.Time, error) {
	forgotten := s.catalog.forgetAll(ctx)
	due, err := s.makeDue(ctx)
	if err != nil {
		return time.Time{}, err
	}
	late, err := s.tellLate(ctx)
	return earlier(due, late), errors.Join(forgotten, err)
}

// backoff is the pause after a failure: 1 s, doubling up to a minute. Its zero
// value is what comes before the first.
type backoff time.Duration

func (b *backoff) next() time.Duration {
	*b = min(max(2**b, backoff(time.Second)), backoff(time.Minute))
	return time.Duration(*b)
}

// dispatch starts runs that wait while there are free places, and reports
// whether any go.
func (s *Service) dispatch(ctx context.Context) (busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.active) < s.opts.MaxRuns && ctx.Err() == nil {
		w, ok := s.queue.pop()
		if !ok {
			break
		}
		a := newAttempt(ctx, w)
		s.active[w.id] = a
		s.runs.Go(func() {
			defer a.release()
			s.execute(a)
			s.mu.Lock()
			delete(s.active, w.id)
			s.mu.Unlock()
			close(a.done)
			s.wake()
		})
	}
	return len(s.active) > 0
}

// shutDown waits for the runs, which end with the context of Serve, and lets go
// of the clock.
func (s *Service) shutDown() {
	timer := time.AfterFunc(patience, func() { close(s.ending) })
	s.runs.Wait()
	timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	letGo(s.held)
	for {
		w, ok := s.queue.pop()
		if !ok {
			return
		}
		w.release()
	}
}

// saveInterval is how old the progress of a run may be in the catalog. It is
// only read from there after a crash.
const saveInterval = 5 * time.Second

func (s *Service) saveTime(busy bool) time.Time {
	if !busy {
		return time.Time{}
	}
	return s.clock.Now().Add(saveInterval)
}

// saveProgress writes the progress of the runs that have come further.
func (s *Service) saveProgress(ctx context.Context) {
	progress := map[string]stocktake.Progress{}
	s.mu.Lock()
	for id, a := range s.active {
		if r, begun := a.now(); begun && r.Progress != a.saved {
			progress[id], a.saved = r.Progress, r.Progress
		}
	}
	s.mu.Unlock()
	if len(progress) == 0 {
		return
	}
	if err := s.catalog.SaveProgress(ctx, progress); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("the progress of runs could not be saved", "err", err)
	}
}
