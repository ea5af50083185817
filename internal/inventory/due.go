package inventory

import (
	"context"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
)

// batch is how many configurations one step of the catalog advances.
const batch = 256

// makeDue makes the runs that are due and returns when the next will be; the zero
// time if none will.
func (s *Service) makeDue(ctx context.Context) (next time.Time, err error) {
	now := s.now()
	s.mu.Lock()
	next = s.next
	s.mu.Unlock()
	if next.IsZero() || next.After(now) {
		return next, nil
	}
	for {
		entries, err := s.catalog.Due(ctx, now, batch)
		if err != nil {
			return time.Time{}, err
		}
		entries = slices.DeleteFunc(entries, func(e Entry) bool { return s.deleted.has(e.Bucket) })
		if err := s.advance(ctx, entries, now); err != nil {
			return time.Time{}, err
		}
		if len(entries) < batch {
			break
		}
	}
	return s.readNext(ctx)
}

// readNext reads from the catalog when the next run is due.
func (s *Service) readNext(ctx context.Context) (time.Time, error) {
	return s.nextOf(ctx, &s.next, s.catalog.NextWake)
}

// nextOf sets next, which s.mu guards, to the result of ask, unless a caller has lowered it since,
// whose change ask may have missed.
func (s *Service) nextOf(ctx context.Context, next *time.Time, ask func(context.Context) (time.Time, error)) (time.Time, error) {
	s.mu.Lock()
	*next = time.Time{}
	s.mu.Unlock()
	t, err := ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		*next = s.clock.Now() // ask again
		return time.Time{}, err
	}
	*next = earlier(*next, t)
	return *next, nil
}

// earlier returns the earlier of two times; the zero time means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// advance moves entries to their next due time and queues their runs.
func (s *Service) advance(ctx context.Context, entries []Entry, now time.Time) error {
	if len(entries) == 0 {
		return nil
	}
	steps := make([]Step, len(entries))
	for i := range entries {
		e := &entries[i]
		due := e.Due
		// Only the last of the due times that were missed, while no server ran or when the clock
		// jumped ahead, is made up for.
		following := Next(e.Configuration.Schedule, e.Created, due, s.opts.DayStart)
		for !following.IsZero() && !s.wakeOf(e, following).After(now) {
			due = following
			following = Next(e.Configuration.Schedule, e.Created, due, s.opts.DayStart)
		}
		steps[i] = Step{
			Bucket: e.Bucket, ID: e.Configuration.ID, From: e.Due,
			Due: following, Wake: s.wakeOf(e, following),
			Run: s.newRun(e, stocktake.FullRun, stocktake.TriggerScheduled, due),
		}
	}
	made, err := s.catalog.Advance(ctx, steps, s.holderOfNew(), s.opts.Keep)
	if err != nil {
		return err
	}
	for _, r := range made {
		if r.State == stocktake.Skipped {
			s.log.Warn("run skipped", "bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "due", r.Due, "reason", r.Reason)
			s.opts.Observer.RunChanged(r)
			continue
		}
		s.startAdded(ctx, r)
	}
	return nil
}
