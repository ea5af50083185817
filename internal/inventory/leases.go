package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
)

// heartbeat is how often a process renews the leases of its runs and stores their progress, which
// other processes read from the catalog, and a new process after a crash.
const heartbeat = 5 * time.Second

// errTaken is the cause of the end of an attempt whose run another process has taken because the
// lease expired.
var errTaken = errors.New("another process has taken the run")

// takeUnfinished takes the unfinished runs of an earlier process on the folder, or frees those of ended
// processes.
func (s *Service) takeUnfinished(ctx context.Context) error {
	if s.opts.Shared {
		return s.freeExpired(ctx)
	}
	var runs []HeldRun
	for {
		page, err := s.catalog.TakeRuns(ctx, s.holder, batch)
		runs = append(runs, page...)
		if err != nil {
			return err
		}
		if len(page) < batch {
			break
		}
	}
	slices.SortFunc(runs, func(a, b HeldRun) int {
		return cmp.Or(a.Run.Queued.Compare(b.Run.Queued), cmp.Compare(a.Run.ID, b.Run.ID))
	})
	for i := range runs {
		if err := s.receive(ctx, &runs[i]); err != nil {
			return err
		}
	}
	return nil
}

// receive queues a run that was taken, or ends it.
func (s *Service) receive(ctx context.Context, h *HeldRun) error {
	r := h.Run
	s.mu.Lock()
	s.taken[r.ID] = true
	s.mu.Unlock()
	switch {
	case h.Cancel && !h.Recorded:
		if _, err := s.cancelWaiting(ctx, r); !errors.Is(err, stocktake.ErrNoSuchRun) && !errors.Is(err, stocktake.ErrNoSuchInventory) {
			return err
		}
		return nil
	case r.Attempt > s.opts.MaxAttempts:
		return s.giveUp(ctx, h)
	case r.Attempt > 1:
		s.log.Warn("restarting an interrupted run", "bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "attempt", r.Attempt)
	}
	s.enqueue(ctx, r)
	return nil
}

// giveUp fails a run whose process ended during each of its attempts.
func (s *Service) giveUp(ctx context.Context, h *HeldRun) error {
	r := h.Run
	cfg, err := s.catalog.RunConfiguration(ctx, r.ID)
	if err != nil {
		return err
	}
	fence := s.fence(&r)
	r.State, r.Ended, r.Attempt = stocktake.Failed, s.now(), r.Attempt-1
	r.Reason = fmt.Sprintf("the server ended %d times during the run; look for the cause in the server's log, then run it again", r.Attempt)
	if err := s.endRun(ctx, r, fence, runEnd{}); err != nil {
		return err
	}
	if h.Recorded && s.opts.Shared {
		return nil // its last process may still publish the recorded report, whose files must exist then
	}
	s.cleanInterrupted(ctx, h.Run, cfg)
	return nil
}

// fence returns the condition that a run meets while this process holds it as
// r.
func (s *Service) fence(r *stocktake.Run) Fence {
	return Fence{State: r.State, Owner: s.holder.Owner, Attempt: r.Attempt}
}

// beat renews the leases of this process, keeps the progress of its runs, and
// carries out the requests of other processes.
func (s *Service) beat(ctx context.Context) {
	progress := map[string]stocktake.Progress{}
	active, queued := map[string]*attempt{}, map[string]waiting{}
	s.mu.Lock()
	for id, a := range s.active {
		active[id] = a
		if r, begun := a.now(); begun && r.Progress != a.saved {
			progress[id], a.saved = r.Progress, r.Progress
		}
	}
	for _, w := range s.queue.all() {
		queued[w.id] = w
	}
	for _, d := range s.delayed {
		queued[d.id] = d.waiting
	}
	s.mu.Unlock()
	if len(progress) == 0 && !s.opts.Shared {
		return
	}
	unknown := map[string]bool{}
	held, err := s.catalog.RenewRuns(ctx, s.holder, progress)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("cannot record leases and progress of runs; trying again", "retry_in", heartbeat, "err", err)
		}
		return
	}
	for i := range held {
		h := &held[i]
		a := active[h.Run.ID]
		_, waits := queued[h.Run.ID]
		if a == nil && !waits {
			unknown[h.Run.ID] = true
		}
		if !waits && (a == nil || a.attemptNumber() > 0 && a.attemptNumber() != h.Run.Attempt) {
			continue
		}
		delete(active, h.Run.ID)
		delete(queued, h.Run.ID)
		if h.Cancel {
			s.cancelHeld(ctx, a, h.Run)
		}
	}
	for _, a := range active {
		a.abandon()
	}
	for id, w := range queued {
		s.unqueue(w.bucket, func(w *waiting) bool { return w.id == id })
	}
	s.releaseUnknown(ctx, unknown)
}

// releaseUnknown frees the runs that the catalog assigns to this process but that are not in
// progress here: the answer that assigned them was lost, or their end could not be recorded. It
// frees a run only at the second beat, since at the first it may be about to be queued or to end.
func (s *Service) releaseUnknown(ctx context.Context, unknown map[string]bool) {
	var ids []string
	for id := range unknown {
		if s.unknown[id] {
			ids = append(ids, id)
		}
	}
	s.unknown = unknown
	if len(unknown) == 0 {
		s.doubt.Store(false)
	}
	if len(ids) == 0 || !s.opts.Shared {
		return
	}
	s.log.Warn("releasing runs that are recorded for this process but not in progress here", "runs", ids)
	if err := s.catalog.ReleaseRuns(ctx, s.holder.Owner, ids...); err != nil && ctx.Err() == nil {
		s.log.Warn("cannot release runs; trying again", "retry_in", heartbeat, "err", err)
	}
}

// cancelHeld ends a run of this process whose end was requested. a is nil
// while the run waits.
func (s *Service) cancelHeld(ctx context.Context, a *attempt, r stocktake.Run) {
	if a != nil {
		a.cancelRun()
		return
	}
	_, err := s.cancelWaiting(ctx, r)
	if err != nil && !errors.Is(err, stocktake.ErrNoSuchRun) && !errors.Is(err, stocktake.ErrNoSuchInventory) && ctx.Err() == nil {
		s.log.Warn("cannot cancel a run; trying again", "bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "err", err)
	}
}

// patrolInterval returns how often a process checks for events that have no
// timer.
func (s *Service) patrolInterval() time.Duration {
	if s.opts.Shared {
		return s.opts.Lease / 2
	}
	return time.Hour
}

// patrol checks whether the clock has gone back and, in a shared catalog, whether ended processes
// have left work: runs whose lease has expired, and due times.
func (s *Service) patrol(ctx context.Context) error {
	if err := s.checkClock(ctx); err != nil || !s.opts.Shared {
		return err
	}
	if err := s.freeExpired(ctx); err != nil {
		return err
	}
	return s.readTimes(ctx)
}

// readTimes reads the next times again, which other processes may have moved forward.
func (s *Service) readTimes(ctx context.Context) error {
	if _, err := s.readNext(ctx); err != nil {
		return err
	}
	if _, err := s.readNextWindow(ctx); err != nil {
		return err
	}
	_, err := s.readNextLate(ctx)
	return err
}

// release lets other processes take runs of this one at once; without ids all.
func (s *Service) release(ids ...string) {
	if !s.opts.Shared {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.catalog.ReleaseRuns(ctx, s.holder.Owner, ids...); err != nil {
		s.log.Warn("cannot release runs; other processes take them when their leases expire", "lease", s.holder.Lease, "err", err)
	}
}
