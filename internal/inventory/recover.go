package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/stocktake/stocktake"
)

// removedRunsKept is the minimum time that the history of a configuration removed by AutoDelete is
// kept; it may stay a day longer.
const removedRunsKept = 30 * 24 * time.Hour

// recover reconciles the catalog with the buckets and the clock after a start.
func (s *Service) recover(ctx context.Context) error {
	now := s.now()
	if err := s.eachBucket(ctx, func(bucket string) error { return s.reconcile(ctx, bucket, now) }); err != nil {
		return err
	}
	if err := s.forgetRuns(ctx, now); err != nil {
		return err
	}
	if err := s.takeUnfinished(ctx); err != nil {
		return err
	}
	if _, err := s.readNextWindow(ctx); err != nil {
		return err
	}
	_, err := s.readNext(ctx)
	return err
}

// forgetRuns removes, once a day, runs of removed configurations after removedRunsKept.
func (s *Service) forgetRuns(ctx context.Context, now time.Time) error {
	if !s.forgot.IsZero() && now.Before(s.forgot.Add(24*time.Hour)) && !now.Before(s.forgot) {
		return nil
	}
	s.forgot = now
	return s.catalog.ForgetRuns(ctx, now.Add(-removedRunsKept))
}

func (s *Service) eachBucket(ctx context.Context, do func(bucket string) error) error {
	for after := ""; ; {
		buckets, err := s.catalog.Buckets(ctx, after, batch)
		if err != nil || len(buckets) == 0 {
			return err
		}
		for _, b := range buckets {
			if err := do(b); err != nil {
				return err
			}
		}
		after = buckets[len(buckets)-1]
	}
}

// reconcile removes the configurations of a bucket that was deleted while no server ran. If the
// bucket exists, it schedules them for the present hour and zone.
func (s *Service) reconcile(ctx context.Context, bucket string, now time.Time) error {
	switch _, err := s.buckets.Bucket(ctx, bucket); {
	case errors.Is(err, stocktake.ErrNoSuchBucket) && s.opts.Shared:
		s.log.Warn("no store in the settings has the bucket; its inventory configurations are kept, since other processes may have the bucket", "bucket", bucket)
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		s.log.Warn("the bucket does not exist; its inventory configurations are removed", "bucket", bucket)
		return s.catalog.RemoveBucket(ctx, bucket)
	case err != nil:
		// The store may be back soon. Otherwise the runs fail with the reason.
		s.log.Warn("cannot look up the bucket; its inventory configurations are kept", "bucket", bucket, "err", err)
	default:
		if err := s.unsubscribeStrays(ctx, bucket); err != nil {
			return err
		}
	}
	for after := ""; ; {
		entries, more, err := s.catalog.Configurations(ctx, bucket, after, batch)
		if err != nil {
			return err
		}
		var moved []Entry
		for i := range entries {
			if s.replan(&entries[i], now) {
				moved = append(moved, entries[i])
			}
		}
		if len(moved) > 0 {
			if err := s.catalog.SetDue(ctx, moved...); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		after = entries[len(entries)-1].Configuration.ID
	}
}

// clockStep is how far the clock may go back before all configurations are scheduled again.
const clockStep = time.Minute

// checkClock schedules all configurations again after the clock went back: due times from a clock
// that was ahead would be too late.
func (s *Service) checkClock(ctx context.Context) error {
	now := s.now()
	ahead := s.latest.Sub(now)
	if ahead > clockStep {
		s.log.Warn("the clock went back: all configurations are scheduled again", "ahead", ahead)
		if err := s.eachBucket(ctx, func(bucket string) error { return s.reconcile(ctx, bucket, now) }); err != nil {
			return err
		}
		if _, err := s.readNext(ctx); err != nil {
			return err
		}
	}
	s.latest = now
	return nil
}

// replan corrects a due time that was computed with another hour, zone or spread, and reports
// whether it did. A due time in the past stays: its run is made up for.
func (s *Service) replan(e *Entry, now time.Time) bool {
	if !e.Due.IsZero() && !e.Due.After(now) {
		return false
	}
	due, wake := e.Due, e.Wake
	s.plan(e, now)
	return !e.Due.Equal(due) || !e.Wake.Equal(wake)
}
