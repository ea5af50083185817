package inventory

import (
	"maps"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
)

// A Load is the number of unfinished runs of a service.
type Load struct {
	Waiting int // queued, including runs that wait for their next attempt
	Running int // scanning or publishing; at most Options.MaxRuns between two stores
}

// Load returns the load of this process.
func (s *Service) Load() Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Load{Waiting: s.queue.len() + len(s.delayed), Running: len(s.active)}
}

// WindowBehind returns how long ago the window ended that starts at start; 0 if it
// has not. It returns false if this process publishes no incremental reports, or
// start is zero.
func (s *Service) WindowBehind(start time.Time) (time.Duration, bool) {
	if s.opts.Journal == nil || start.IsZero() {
		return 0, false
	}
	return max(s.now().Sub(s.windowEnd(start)), 0), true
}

// Active returns the runs in progress in this process, with their progress, in no order. A run is
// included until its end is recorded.
func (s *Service) Active() []stocktake.Run {
	s.mu.Lock()
	attempts := slices.Collect(maps.Values(s.active))
	s.mu.Unlock()
	runs := make([]stocktake.Run, 0, len(attempts))
	for _, a := range attempts {
		if r, begun := a.now(); begun {
			runs = append(runs, r)
		}
	}
	return runs
}
