package inventory

import (
	"context"
	"slices"

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
		s.log.Warn("catalog failed; no runs start; trying again until it answers", "retry_in", s.opts.Poll, "err", err)
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
// there may be very many, and each process looks whenever it has a free place. If some may share a
// listing, it reads those that share it as well.
func (s *Service) find(ctx context.Context) (ids []string, err error) {
	for _, most := range []int{4 * s.opts.MaxRuns, maxFree} {
		free, err := s.catalog.FreeRuns(ctx, s.opts.MaxRuns, most)
		if err != nil {
			return nil, err
		}
		ids = s.choose(free)
		if len(ids) > 0 && slices.ContainsFunc(free, func(r stocktake.Run) bool { return s.shares(r.Bucket) }) {
			if free, err = s.catalog.FreeRuns(ctx, max(s.opts.MaxRuns, MaxTogether), maxFree); err != nil {
				return nil, err
			}
			return s.choose(free), nil
		}
		if len(ids) > 0 || len(free) < most {
			return ids, nil
		}
	}
	return nil, nil
}

// choose returns the ids of the runs for which this process has a place. Runs that are made
// together take one place.
func (s *Service) choose(free []stocktake.Run) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := map[string]int{}
	type group struct{ bucket, lane string }
	together := map[group]int{}
	for i := range free {
		lane := s.lane(free[i].Bucket, free[i].Destination)
		n, known := room[lane]
		if !known {
			n = s.opts.MaxRuns - s.queue.count(lane)
		}
		at := group{free[i].Bucket, lane}
		switch with := together[at]; {
		case with > 0 && with < MaxTogether && s.shares(free[i].Bucket):
			ids = append(ids, free[i].ID)
			together[at]++
		case n > 0:
			ids = append(ids, free[i].ID)
			n--
			together[at] = 1
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
