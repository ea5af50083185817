package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
)

// Run starts a run now, independent of the schedule, even if the configuration is disabled or
// suspended. If a run waits or is in progress, Run returns that one.
func (s *Service) Run(ctx context.Context, bucket, id string) (stocktake.Run, error) {
	e, err := s.catalog.Configuration(ctx, bucket, id)
	if err != nil {
		return stocktake.Run{}, err
	}
	r, added, err := s.catalog.AddRun(ctx, s.newRun(&e, stocktake.FullRun, stocktake.TriggerManual, s.now()), s.holderOfNew())
	if err != nil {
		return stocktake.Run{}, err
	}
	if added {
		s.startAdded(ctx, r)
		return r, nil
	}
	return s.withProgress(r), nil
}

// Cancel ends the unfinished run of a configuration and returns its final state: it may have
// succeeded before it could be stopped. If no full run is unfinished, Cancel ends the run of a
// window, which is made again when the next window ends. The holder of the run ends it. The error
// is [stocktake.ErrNoSuchRun] if there is none.
func (s *Service) Cancel(ctx context.Context, bucket, id string) (stocktake.Run, error) {
	if _, err := s.catalog.Configuration(ctx, bucket, id); err != nil {
		return stocktake.Run{}, err
	}
	runs, err := s.catalog.UnfinishedRuns(ctx, bucket, id)
	if err != nil {
		return stocktake.Run{}, err
	}
	if len(runs) == 0 {
		return stocktake.Run{}, fmt.Errorf("cancel: %w", stocktake.ErrNoSuchRun)
	}
	for _, r := range runs { // a full one first, since a window is made again
		if r.Kind == stocktake.FullRun {
			return s.cancel(ctx, r)
		}
	}
	return s.cancel(ctx, runs[0])
}

// cancelPoll is how often a process checks whether another one has carried out
// its request.
const cancelPoll = time.Second

// cancel asks the holder of a run to end it, and waits for the end.
func (s *Service) cancel(ctx context.Context, r stocktake.Run) (stocktake.Run, error) {
	if err := s.catalog.RequestCancel(ctx, r.ID); err != nil {
		return stocktake.Run{}, err
	}
	for {
		s.mu.Lock()
		a := s.active[r.ID]
		s.mu.Unlock()
		var ended <-chan struct{}
		var poll <-chan time.Time
		if a != nil {
			a.cancelRun()
			ended = a.done
		} else {
			r, err := s.cancelFree(ctx, r)
			if !errors.Is(err, stocktake.ErrNoSuchRun) {
				return r, err
			}
			if s.opts.Shared {
				poll = time.After(cancelPoll)
			}
		}
		if ended != nil || poll != nil {
			select {
			case <-ended:
			case <-poll:
			case <-ctx.Done():
				return stocktake.Run{}, fmt.Errorf("wait for the end of run %s: %w", r.ID, ctx.Err())
			}
		}
		// A run that had not started, or that a shutdown has interrupted, is unchanged.
		var err error
		if r, err = s.catalog.Run(ctx, r.ID); err != nil || r.State.Ended() {
			return r, err
		}
	}
}

// cancelFree ends a run that waits for a place in this process, or has no holder.
func (s *Service) cancelFree(ctx context.Context, r stocktake.Run) (stocktake.Run, error) {
	if s.opts.Shared {
		taken, err := s.catalog.TakeFreeRuns(ctx, s.holder, r.ID)
		if err != nil {
			s.doubt.Store(true)
			return stocktake.Run{}, err
		}
		if len(taken) == 1 {
			s.doubt.Store(true) // until its end is recorded
			r = taken[0].Run
			if taken[0].Recorded { // any process with room publishes it
				return stocktake.Run{}, errors.Join(stocktake.ErrNoSuchRun, s.catalog.ReleaseRuns(ctx, s.holder.Owner, r.ID))
			}
		}
	}
	return s.cancelWaiting(ctx, r)
}

// cancelWaiting ends a run of this process that waits for a place.
func (s *Service) cancelWaiting(ctx context.Context, r stocktake.Run) (stocktake.Run, error) {
	cfg, err := s.catalog.RunConfiguration(ctx, r.ID)
	if err != nil {
		return stocktake.Run{}, err
	}
	before := r
	before.State = stocktake.Queued
	r.State, r.Ended, r.Reason = stocktake.Cancelled, s.now(), "it was cancelled on request"
	if err := s.endRun(ctx, r, s.fence(&before), runEnd{forget: true}); err != nil {
		return stocktake.Run{}, err
	}
	s.unqueue(r.Bucket, func(w *waiting) bool { return w.id == r.ID })
	s.cleanInterrupted(ctx, before, cfg)
	return r, nil
}

// Runs returns the kept history of a configuration, newest first. The history of one removed by
// AutoDelete is kept for a while.
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
		runs[i] = s.withProgress(runs[i])
	}
	return runs, nil
}

// Status returns the status of one configuration, or with id "" of all of the
// bucket, by id. Last is the newest run that was not skipped.
func (s *Service) Status(ctx context.Context, bucket, id string) ([]stocktake.InventoryStatus, error) {
	var entries []EntryStatus
	if id == "" {
		all, err := s.catalog.EntryStatuses(ctx, bucket)
		if err != nil {
			return nil, err
		}
		entries = all
	} else {
		e, err := s.catalog.EntryStatus(ctx, bucket, id)
		if err != nil {
			return nil, err
		}
		entries = []EntryStatus{e}
	}
	status := make([]stocktake.InventoryStatus, len(entries))
	warner := s.newWarner(bucket)
	for i := range entries {
		status[i] = s.status(ctx, &entries[i], warner)
	}
	return status, nil
}

func (s *Service) status(ctx context.Context, e *EntryStatus, w *warner) stocktake.InventoryStatus {
	st := stocktake.InventoryStatus{
		Bucket:        e.Bucket,
		Configuration: e.Configuration.ID,
		Enabled:       e.Configuration.IsEnabled,
		Frequency:     e.Configuration.Schedule.Frequency,
		Suspended:     e.Suspended,
		Next:          e.Due,
		Succeeded:     e.Succeeded,
		Retention:     e.Retention,
		Warnings:      w.warnings(ctx, e),
	}
	if e.Last != nil {
		st.Last = new(s.withProgress(*e.Last))
	}
	st.Incremental = s.incrementalStatus(ctx, &e.Entry)
	return st
}

// withProgress adds progress that the catalog does not have yet to a run.
func (s *Service) withProgress(r stocktake.Run) stocktake.Run {
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
