package inventory

import (
	"context"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
)

// Run starts a run now, whatever the schedule says, also of a configuration that
// is disabled or suspended. If a run of it waits or goes already, that one is
// returned.
func (s *Service) Run(ctx context.Context, bucket, id string) (stocktake.Run, error) {
	e, err := s.catalog.Configuration(ctx, bucket, id)
	if err != nil {
		return stocktake.Run{}, err
	}
	r, added, err := s.catalog.AddRun(ctx, s.newRun(&e, stocktake.TriggerManual, s.now()))
	if err != nil {
		return stocktake.Run{}, err
	}
	if added {
		s.enqueue(r)
		return r, nil
	}
	return s.live(r), nil
}

// Cancel ends the run that waits or goes, and returns it as it ended: it may
// have succeeded before it could be stopped. [stocktake.ErrNoSuchRun] if there is
// none.
func (s *Service) Cancel(ctx context.Context, bucket, id string) (stocktake.Run, error) {
	if _, err := s.catalog.Configuration(ctx, bucket, id); err != nil {
		return stocktake.Run{}, err
	}
	for {
		r, err := s.catalog.Going(ctx, bucket, id)
		if err != nil {
			return stocktake.Run{}, err
		}
		s.mu.Lock()
		a := s.active[r.ID]
		s.mu.Unlock()
		if a == nil {
			r, err := s.cancelWaiting(ctx, r)
			if errors.Is(err, stocktake.ErrNoSuchRun) {
				continue // it has just been started, or has just ended
			}
			return r, err
		}
		a.cancel(errCancelled)
		select {
		case <-a.done:
		case <-ctx.Done():
			return stocktake.Run{}, fmt.Errorf("wait for the end of run %s: %w", r.ID, ctx.Err())
		}
		// An attempt that had not begun, or that a shutdown has overtaken, leaves
		// its run as it was: then nobody works on it in the next turn.
		if r, err = s.catalog.Run(ctx, r.ID); err != nil || r.State.Ended() {
			return r, err
		}
	}
}

// cancelWaiting ends a run that nobody works on.
func (s *Service) cancelWaiting(ctx context.Context, r stocktake.Run) (stocktake.Run, error) {
	e, err := s.catalog.Configuration(ctx, r.Bucket, r.Configuration)
	if err != nil {
		return stocktake.Run{}, err
	}
	before := r
	r.State, r.Ended, r.Reason = stocktake.Cancelled, s.now(), "somebody cancelled it"
	if err := s.endRun(ctx, r, before.State, false); err != nil {
		return stocktake.Run{}, err
	}
	s.unqueue(r.Bucket, func(w *waiting) bool { return w.id == r.ID })
	s.cleanInterrupted(ctx, before, e.Configuration)
	return r, nil
}

// Runs gives the kept history of a configuration, newest first. The history of
// one that has removed itself (AutoDelete) is kept for a while.
func (s *Service) Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	runs, err := s.catalog.Runs(ctx, bucket, id)
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 {
		if _, err := s.catalog.Configuration(ctx, bucket, id); err != nil {
			return nil, err
		}
		return []stocktake.Run{}, nil
	}
	for i := range runs {
		runs[i] = s.live(runs[i])
	}
	return runs, nil
}

// Status gives the status of one configuration, or with id "" of all of the
// bucket, by id. Last is the newest run that was not skipped.
func (s *Service) Status(ctx context.Context, bucket, id string) ([]stocktake.InventoryStatus, error) {
	var entries []Standing
	if id == "" {
		all, err := s.catalog.Standings(ctx, bucket)
		if err != nil {
			return nil, err
		}
		entries = all
	} else {
		e, err := s.catalog.Standing(ctx, bucket, id)
		if err != nil {
			return nil, err
		}
		entries = []Standing{e}
	}
	status := make([]stocktake.InventoryStatus, len(entries))
	warner := s.newWarner(bucket)
	for i := range entries {
		status[i] = s.status(ctx, &entries[i], warner)
	}
	return status, nil
}

func (s *Service) status(ctx context.Context, e *Standing, w *warner) stocktake.InventoryStatus {
	st := stocktake.InventoryStatus{
		Bucket:        e.Bucket,
		Configuration: e.Configuration.ID,
		Enabled:       e.Configuration.IsEnabled,
		Frequency:     e.Configuration.Schedule.Frequency,
		Suspended:     e.Suspended,
		Next:          e.Due,
		Retention:     e.Retention,
		Warnings:      w.warnings(ctx, e),
	}
	if e.Last != nil {
		st.Last = new(s.live(*e.Last))
	}
	return st
}

// live adds to a run what the catalog does not have yet.
func (s *Service) live(r stocktake.Run) stocktake.Run {
	s.mu.Lock()
	a := s.active[r.ID]
	s.mu.Unlock()
	if a == nil || r.State.Ended() {
		return r
	}
	if now, begun := a.now(); begun {
		return now
	}
	return r
}
