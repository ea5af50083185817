package inventory

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake"
)

// suspicious is how many runs back one that has ended badly makes the destination
// suspect.
const suspicious = 10

// tidy has the reports removed that need not be kept, after a run of a has
// succeeded. What fails is in the status until it succeeds, after another run.
func (s *Service) tidy(a *attempt) {
	if s.opts.Tidier == nil {
		return
	}
	err := s.tidyUp(a.ctx, a.bucket, a.configuration)
	if a.ctx.Err() != nil || errors.Is(err, stocktake.ErrNoSuchInventory) {
		return // shut down, or deleted
	}
	if err != nil {
		s.log.Warn("old reports could not be removed", "bucket", a.bucket, "configuration", a.configuration, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{a.bucket, a.configuration}
	if err == nil {
		delete(s.untidy, key)
		return
	}
	s.untidy[key] = "old reports could not be removed: " + Reason(err, &stocktake.InventoryConfiguration{})
}

func (s *Service) tidyUp(ctx context.Context, bucket, id string) error {
	e, err := s.catalog.Configuration(ctx, bucket, id)
	if err != nil {
		return err
	}
	runs, err := s.catalog.NewestRuns(ctx, bucket, id, suspicious)
	if err != nil {
		return err
	}
	suspect := false
	for _, r := range runs {
		clean := r.State == stocktake.Skipped || (r.State == stocktake.Succeeded && r.Attempt == 1)
		suspect = suspect || !clean
	}
	return s.opts.Tidier.Tidy(ctx, e, suspect)
}

// forgetUntidy forgets what was wrong with a configuration that is gone; with id
// "" with all of the bucket.
func (s *Service) forgetUntidy(bucket, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.untidy {
		if key[0] == bucket && (id == "" || key[1] == id) {
			delete(s.untidy, key)
		}
	}
}
