package inventory

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake"
)

// recentRuns is how many recent runs are checked: if one of them ended badly, the
// destination is suspect.
const recentRuns = 10

// removeReports removes expired reports after a run of a with cfg has published a manifest. A failure stays
// in the status until the removal succeeds after a later run.
func (s *Service) removeReports(a *attempt, cfg *stocktake.InventoryConfiguration, manifest string) {
	if s.opts.ReportRemover == nil {
		return
	}
	warnings, err := s.tryRemoveReports(a.ctx, a.bucket, cfg, manifest)
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
		delete(s.removalWarnings, key)
		return
	}
	s.removalWarnings[key] = warnings
}

func (s *Service) tryRemoveReports(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration, manifest string) (warnings []string, err error) {
	id := cfg.ID
	e, err := s.catalog.Configuration(ctx, bucket, id)
	if err != nil {
		return nil, err
	}
	if e.Configuration.Destination.Bucket != cfg.Destination.Bucket || reportFolder(bucket, &e.Configuration) != reportFolder(bucket, cfg) {
		return nil, nil // it was replaced during the run, whose report does not belong to the new one
	}
	clean, err := s.catalog.CleanRuns(ctx, bucket, id, recentRuns)
	if err != nil {
		return nil, err
	}
	t := RemovalJob{Entry: e, Manifest: manifest, Suspect: !clean}
	switch w, err := s.catalog.Windows(ctx, bucket, id); {
	case err == nil:
		t.Unreported = w.Start
	case !errors.Is(err, stocktake.ErrNoSuchInventory):
		return nil, err
	}
	return s.opts.ReportRemover.RemoveReports(ctx, t)
}

// forgetRemovalWarnings removes the warnings for a deleted configuration or, if id is "", for all
// configurations of the bucket.
func (s *Service) forgetRemovalWarnings(bucket, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.removalWarnings {
		if key[0] == bucket && (id == "" || key[1] == id) {
			delete(s.removalWarnings, key)
		}
	}
}
