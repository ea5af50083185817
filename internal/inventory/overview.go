package inventory

import (
	"context"
	"iter"

	"github.com/stocktake/stocktake"
)

// A Load is how much a service has to do.
type Load struct {
	Configurations int64 // of all buckets
	Waiting        int   // runs that are queued
	Going          int   // runs that go; never more than Options.MaxRuns
}

// Load tells how much there is to do now.
func (s *Service) Load(ctx context.Context) (Load, error) {
	n, err := s.catalog.CountConfigurations(ctx)
	if err != nil {
		return Load{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Load{Configurations: n, Waiting: s.queue.urgent.len + s.queue.scheduled.len, Going: len(s.active)}, nil
}

// StatusAll yields the status of every configuration, by bucket and id. An error
// is the last pair.
func (s *Service) StatusAll(ctx context.Context) iter.Seq2[stocktake.InventoryStatus, error] {
	return func(yield func(stocktake.InventoryStatus, error) bool) {
		for after := ""; ; {
			buckets, err := s.catalog.Buckets(ctx, after, batch)
			if err != nil {
				yield(stocktake.InventoryStatus{}, err)
				return
			}
			if len(buckets) == 0 {
				return
			}
			for _, b := range buckets {
				page, err := s.Status(ctx, b, "")
				if err != nil {
					yield(stocktake.InventoryStatus{}, err)
					return
				}
				for _, st := range page {
					if !yield(st, nil) {
						return
					}
				}
			}
			after = buckets[len(buckets)-1]
		}
	}
}
