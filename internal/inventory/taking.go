package inventory

import (
	"context"

	"github.com/stocktake/stocktake"
)

// maxFree is the maximum number of free runs to consider.
const maxFree = 1000

// takeTries is how often a process looks again at once if other processes took the runs first.
const takeTries = 3

// takeFree takes free runs while there are places for them. Each process takes as many as it has
// places, so that runs spread over all processes.
func (s *Service) takeFree(ctx context.Context) {
	if !s.opts.Shared || s.opts.NoRuns || ctx.Err() != nil {
		return
	}
	if s.postponed.Swap(false) && s.freeExpired(ctx) != nil {
		s.postponed.Store(true)
	}
	var err error
	for range takeTries {
		var missed bool
		if missed, err = s.takeSome(ctx); err != nil || !missed {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
	case err != nil && !s.failing:
		s.log.Warn("catalog failed; no runs start; trying again until it answers", "every", s.opts.Poll, "err", err)
	case err == nil && s.failing:
		s.log.Info("catalog answers again; starting runs")
	}
	s.failing = err != nil
}

// takeSome takes runs, and reports whether other processes took some of the chosen ones first.
func (s *Service) takeSome(ctx context.Context) (missed bool, err error) {
	ids, err := s.find(ctx)
	if err != nil || len(ids) == 0 {
		return false, err
	}
	taken, err := s.catalog.TakeFreeRuns(ctx, s.holder, ids...)
	if err != nil {
		s.doubt.Store(true)
		return false, err
	}
	for i := range taken {
		if err := s.receive(ctx, &taken[i]); err != nil {
			return false, err
		}
	}
	return len(taken) < len(ids), nil
}

// find returns the ids of free runs for the free places of this process. It reads a few first:
// there may be very many, and each process looks whenever it has a free place.
func (s *Service) find(ctx context.Context) (ids []string, err error) {
	for _, max := range []int{4 * s.opts.MaxRuns, maxFree} {
		free, err := s.catalog.FreeRuns(ctx, s.opts.MaxRuns, max)
		if err != nil {
			return nil, err
		}
		if ids = s.choose(free); len(ids) > 0 || len(free) < max {
			return ids, nil
		}
	}
	return nil, nil
}

// choose returns the ids of the runs for which this process has a place.
func (s *Service) choose(free []stocktake.Run) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := map[string]int{}
	for i := range free {
		lane := s.lane(free[i].Bucket, free[i].Destination)
		n, known := room[lane]
		if !known {
			n = s.opts.MaxRuns - s.queue.count(lane)
		}
		if n > 0 {
			ids = append(ids, free[i].ID)
			n--
		}
		room[lane] = n
	}
	return ids
}

// freeExpired frees the runs of lost processes.
func (s *Service) freeExpired(ctx context.Context) error {
	n, err := s.catalog.FreeExpired(ctx)
	if n > 0 {
		s.log.Warn("taking over runs of lost processes", "runs", n)
		s.wake()
	}
	return err
}

// schedules reports whether this process is the scheduler. A process that has just become the
// scheduler reads the next times.
func (s *Service) schedules(ctx context.Context) (bool, error) {
	if s.opts.Schedules == nil {
		return true, nil
	}
	now := s.opts.Schedules()
	if now && !s.scheduling {
		s.log.Info("this process is now the scheduler")
		if err := s.readTimes(ctx); err != nil {
			return false, err
		}
	}
	s.scheduling = now
	return now, nil
}
