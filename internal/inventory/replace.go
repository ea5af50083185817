package inventory

import (
	"context"
	"errors"
	"reflect"

	"github.com/stocktake/stocktake"
)

// Replace replaces the configuration of bucket that has the id of cfg, atomically: either the old
// or the new one exists. History, retention, suspension and the progress of incremental reports
// stay. An unfinished full run uses the old configuration to its end, even after a crash; the run
// of a window is cancelled, and made again with the new one.
//
// The schedule continues. A run starts at once if the new configuration is enabled and the old one
// was not, or if it runs once.
//
// It returns the replaced document and the status of the new configuration. Errors: those of
// [Service.Put] except [stocktake.ErrInventoryExists] and [stocktake.ErrInventoryExceedLimit]; and
// [stocktake.ErrNoSuchInventory].
func (s *Service) Replace(ctx context.Context, bucket string, cfg stocktake.InventoryConfiguration) (before []byte, st stocktake.InventoryStatus, err error) {
	if _, err := s.catalog.Configuration(ctx, bucket, cfg.ID); err != nil {
		return nil, st, err
	}
	if err := s.checkConfiguration(ctx, bucket, &cfg); err != nil {
		return nil, st, err
	}
	if before, err = s.replace(ctx, bucket, &cfg); err != nil {
		return nil, st, err
	}
	e, err := s.catalog.EntryStatus(ctx, bucket, cfg.ID)
	if err != nil {
		return nil, st, err
	}
	return before, s.status(ctx, &e, s.newWarner(bucket)), nil
}

// replace repeats the step until the configuration does not change during its preparation.
func (s *Service) replace(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) (before []byte, err error) {
	s.subscribing.Lock()
	defer s.subscribing.Unlock()
	withoutRun := false
	for {
		old, err := s.catalog.Configuration(ctx, bucket, cfg.ID)
		if err != nil {
			return nil, err
		}
		before, err := s.replaceEntry(ctx, &old, cfg, withoutRun)
		switch {
		case errors.Is(err, ErrEntryChanged) && ctx.Err() == nil:
			continue
		case !errors.Is(err, ErrRunUnfinished):
			return before, err
		case cfg.Schedule.Frequency == stocktake.Once:
			return nil, &stocktake.InvalidArgumentError{
				Element: "Schedule/Frequency", Value: string(cfg.Schedule.Frequency),
				Reason: "a run of the configuration has not ended, so the only run of the new one cannot start: wait for its end, or cancel it",
			}
		}
		withoutRun = true // the run in progress has only just started; the next one is made when it is due
	}
}

// replaceEntry replaces old, as it was read. The caller holds s.subscribing.
func (s *Service) replaceEntry(ctx context.Context, old *Entry, cfg *stocktake.InventoryConfiguration, withoutRun bool) (before []byte, err error) {
	now := s.now()
	e := *old
	e.Configuration = *cfg
	if !reflect.DeepEqual(old.Configuration.Schedule, cfg.Schedule) {
		e.Created = now // its weeks and months count from now
	}
	s.plan(&e, now)
	r := Replacement{Old: *old, EndsWindows: !reportsChanges(cfg)}
	if cfg.IsEnabled && !withoutRun && (!old.Configuration.IsEnabled || cfg.Schedule.Frequency == stocktake.Once) {
		first := s.newRun(&e, stocktake.FullRun, stocktake.TriggerFirst, now)
		r.First = &first
	}
	begins := reportsChanges(cfg) && !reportsChanges(&old.Configuration)
	if begins {
		if e.Windows, err = s.subscribe(ctx, e.Bucket, cfg); err != nil {
			return nil, err
		}
	} else if err := s.cancelWindow(ctx, old, cfg); err != nil {
		return nil, err
	}
	r.New = e
	if before, err = s.catalog.ReplaceConfiguration(ctx, r, s.holder); err != nil {
		if begins {
			s.unsubscribeGone(ctx, e.Bucket, cfg.ID)
		}
		return nil, err
	}
	s.replaced(context.WithoutCancel(ctx), old, &r)
	return before, nil
}

// cancelWindow ends the run of a window that the new configuration would make
// differently. The window is made again. The changes that it would have reported
// stay in the journal.
func (s *Service) cancelWindow(ctx context.Context, old *Entry, cfg *stocktake.InventoryConfiguration) error {
	if !reportsChanges(&old.Configuration) || reflect.DeepEqual(&old.Configuration, cfg) {
		return nil
	}
	runs, err := s.catalog.UnfinishedRuns(ctx, old.Bucket, cfg.ID)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Kind != stocktake.IncrementalRun {
			continue
		}
		if _, err := s.cancel(ctx, r); err != nil && !errors.Is(err, stocktake.ErrNoSuchRun) {
			return err
		}
	}
	return nil
}

// replaced updates the state that depends on a configuration, after the catalog has the new one.
func (s *Service) replaced(ctx context.Context, old *Entry, r *Replacement) {
	e := &r.New
	switch {
	case e.Windows != nil:
		s.windowEnded(ctx, e.Windows, false)
	case r.EndsWindows && reportsChanges(&old.Configuration):
		s.unsubscribeGone(ctx, e.Bucket, e.Configuration.ID)
	case !r.EndsWindows && e.Configuration.Filter.Prefix != old.Configuration.Filter.Prefix:
		// From now on the changes of the new prefix are journalled, instead of from the next
		// window; the next report states the time for which they are missing.
		if _, err := s.opts.Journal.Subscribe(ctx, e.Bucket, e.Configuration.ID, e.Configuration.Filter.Prefix); err != nil {
			s.log.Warn("the journal does not keep the changes of the new prefix yet; the next window corrects this",
				"bucket", e.Bucket, "configuration", e.Configuration.ID, "err", err)
		}
	}
	s.forgetRemovalWarnings(e.Bucket, e.Configuration.ID)
	s.wakeAt(e.Wake)
	if r.First != nil {
		s.enqueue(ctx, *r.First)
	}
}
