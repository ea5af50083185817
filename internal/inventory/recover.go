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

// keepForgotten is how long the history of a configuration is kept that has
// removed itself, or up to a day longer.
const keepForgotten = 30 * 24 * time.Hour

// recover brings the catalog into line with the world after a start.
func (s *Service) recover(ctx context.Context) error {
	now := s.now()
	if err := s.eachBucket(ctx, func(bucket string) error { return s.reconcile(ctx, bucket, now) }); err != nil {
		return err
	}
	if err := s.forgetRuns(ctx, now); err != nil {
		return err
	}
	if err := s.requeue(ctx); err != nil {
		return err
	}
	_, err := s.readNext(ctx)
	return err
}

// forgetRuns forgets, once a day, the runs that have been kept long enough of
// configurations that are gone.
func (s *Service) forgetRuns(ctx context.Context, now time.Time) error {
	if !s.forgot.IsZero() && now.Before(s.forgot.Add(24*time.Hour)) {
		return nil
	}
	s.forgot = now
	return s.catalog.ForgetRuns(ctx, now.Add(-keepForgotten))
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

// reconcile forgets a bucket that was deleted when nobody could be told, and
// else plans its configurations for the hour and zone of today.
func (s *Service) reconcile(ctx context.Context, bucket string, now time.Time) error {
	switch _, err := s.buckets.Bucket(ctx, bucket); {
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		s.log.Warn("the bucket is gone; its inventory configurations are forgotten", "bucket", bucket)
		return s.catalog.RemoveBucket(ctx, bucket)
	case err != nil:
		// It may be back soon. Its runs will say so if not.
		s.log.Warn("the bucket could not be looked at; its inventory configurations are kept", "bucket", bucket, "err", err)
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

// replan corrects a due time that another hour, zone or spread has given, and
// reports whether it has. One that has passed stays: its run is made up for.
func (s *Service) replan(e *Entry, now time.Time) bool {
	if !e.Due.IsZero() && !e.Due.After(now) {
		return false
	}
	due, wake := e.Due, e.Wake
	s.plan(e, now)
	return !e.Due.Equal(due) || !e.Wake.Equal(wake)
}

// requeue queues the runs that have not ended. Those that were going when the
// process before ended start anew.
func (s *Service) requeue(ctx context.Context) error {
	var runs []stocktake.Run
	for after := ""; ; {
		page, err := s.catalog.Unfinished(ctx, after, batch)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		runs = append(runs, page...)
		after = page[len(page)-1].ID
	}
	slices.SortFunc(runs, func(a, b stocktake.Run) int {
		return cmp.Or(a.Queued.Compare(b.Queued), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range runs {
		if err := s.requeueRun(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) requeueRun(ctx context.Context, r stocktake.Run) error {
	if r.State == stocktake.Queued {
		s.mu.Lock()
		s.found[r.ID] = true
		s.mu.Unlock()
		s.enqueue(r)
		return nil
	}
	from := r.State
	if r.Attempt >= s.opts.MaxAttempts {
		return s.giveUp(ctx, r)
	}
	r.State = stocktake.Queued
	r.Attempt++
	if err := s.catalog.UpdateRun(ctx, r, from); err != nil {
		return err
	}
	s.log.Warn("run was interrupted and starts anew", "bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "attempt", r.Attempt)
	s.enqueue(r)
	return nil
}

// giveUp fails a run that has ended with the server each time.
func (s *Service) giveUp(ctx context.Context, r stocktake.Run) error {
	before := r
	r.State, r.Ended = stocktake.Failed, s.now()
	r.Reason = fmt.Sprintf("the server ended %d times while the run went; find out why in the server's log, then run it again", r.Attempt)
	e, err := s.catalog.Configuration(ctx, r.Bucket, r.Configuration)
	if err != nil {
		return err
	}
	if err := s.endRun(ctx, r, before.State, false); err != nil {
		return err
	}
	s.cleanInterrupted(ctx, before, e.Configuration)
	return nil
}
