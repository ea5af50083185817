package inventory

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake"
)

// suspicious is how many recent runs are checked: if one of them ended badly, the
// destination is suspect.
const suspicious = 10

// tidy removes expired reports after a run of a with cfg has published a manifest. A failure stays
// in the status until tidy succeeds after a later run.
func (s *Service) tidy(a *attempt, cfg *stocktake.InventoryConfiguration, manifest string) {
	if s.opts.Tidier == nil {
		return
	}
	warnings, err := s.tidyUp(a.ctx, a.bucket, cfg, manifest)
	if a.ctx.Err() != nil || errors.Is(err, stocktake.ErrNoSuchInventory) {
		return // shut down, or deleted
	}
	for _, text := range warnings {
		s.log.Warn("retention: "+text, "bucket", a.bucket, "configuration", a.configuration)
	}
	if err != nil {
		s.log.Warn("cannot remove old reports", "bucket", a.bucket, "configuration", a.configuration, "err", err)
		warnings = append(warnings, "cannot remove old reports: "+Reason(err, &stocktake.InventoryConfiguration{}))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{a.bucket, a.configuration}
	if len(warnings) == 0 {
		delete(s.untidy, key)
		return
	}
	s.untidy[key] = warnings
}

func (s *Service) tidyUp(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration, manifest string) (warnings []string, err error) {
	id := cfg.ID
	e, err := s.catalog.Configuration(ctx, bucket, id)
	if err != nil {
		return nil, err
	}
	if e.Configuration.Destination.Bucket != cfg.Destination.Bucket || reportFolder(bucket, &e.Configuration) != reportFolder(bucket, cfg) {
		return nil, nil // it was replaced during the run, whose report does not belong to the new one
	}
	runs, err := s.catalog.NewestRuns(ctx, bucket, id, suspicious)
	if err != nil {
		return nil, err
	}
	t := Tidying{Entry: e, Manifest: manifest}
	switch w, err := s.catalog.Windows(ctx, bucket, id); {
	case err == nil:
		t.Unreported = w.Start
	case !errors.Is(err, stocktake.ErrNoSuchInventory):
		return nil, err
	}
	for _, r := range runs {
		clean := r.State == stocktake.Skipped || (r.State == stocktake.Succeeded && r.Attempt == 1)
		t.Suspect = t.Suspect || !clean
	}
	return s.opts.Tidier.Tidy(ctx, t)
}

// forgetUntidy removes the failures of tidy for a deleted configuration or, if id is "", for all
// configurations of the bucket.
func (s *Service) forgetUntidy(bucket, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.untidy {
		if key[0] == bucket && (id == "" || key[1] == id) {
			delete(s.untidy, key)
		}
	}
}
