package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/stocktake/stocktake"
)

// An EventKind is the kind of an [Event].
type EventKind string

// The kinds of events.
const (
	EventSucceeded EventKind = "succeeded"
	EventFailed    EventKind = "failed"
	EventLate      EventKind = "late"      // the run has not ended in time; at most once per run
	EventRecovered EventKind = "recovered" // a late run succeeded, or the first run after a failure did; in addition to succeeded
)

// An Event is a change of a run that may concern receivers of notices.
type Event struct {
	Kind EventKind
	Time time.Time
	Run  stocktake.Run
}

// A Notifier makes notices of events. They are stored in the same step as the event, so that none
// is lost.
type Notifier interface {
	// Notices returns the notices of e. It may be called again for the same event if its result
	// could not be stored.
	Notices(e Event) []Notice

	// Stored is called after notices were stored.
	Stored()
}

type noNotifier struct{}

func (noNotifier) Notices(Event) []Notice { return nil }
func (noNotifier) Stored()                {}

// events returns the events of a run that has ended.
func (s *Service) events(ctx context.Context, r *stocktake.Run) ([]Event, error) {
	switch r.State {
	case stocktake.Failed:
		return []Event{{EventFailed, r.Ended, *r}}, nil
	case stocktake.Succeeded:
		// It may have been marked as late since the attempt last read it.
		late, failure, err := s.catalog.RecoversFrom(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		r.Late = late
		events := []Event{{EventSucceeded, r.Ended, *r}}
		if late || failure {
			events = append(events, Event{EventRecovered, r.Ended, *r})
		}
		return events, nil
	}
	return nil, nil
}

// A runEnd holds the consequences of the end of a run.
type runEnd struct {
	remove  bool    // the configuration is removed with it
	outcome Outcome // of a run that has succeeded
	forget  bool    // the recorded report of the window is not published
}

// endRun records the end of a run together with its notices, then logs it and
// calls the observer.
func (s *Service) endRun(ctx context.Context, r stocktake.Run, fence Fence, how runEnd) error {
	events, err := s.events(ctx, &r)
	if err != nil {
		return err
	}
	end := End{Keep: s.opts.Keep, Remove: how.remove}
	if r.Kind == stocktake.IncrementalRun {
		if end.Windows, err = s.windowsAfter(ctx, &r, &how.outcome, how.forget); err != nil {
			return err
		}
	}
	for _, e := range events {
		end.Notices = append(end.Notices, s.opts.Notifier.Notices(e)...)
	}
	if err := s.catalog.EndRun(ctx, r, fence, end); err != nil {
		return err
	}
	if fence.State != stocktake.Queued {
		s.mu.Lock()
		delete(s.taken, r.ID)
		s.mu.Unlock()
	}
	if end.Windows != nil {
		s.windowEnded(ctx, end.Windows, r.State == stocktake.Succeeded)
	}
	if how.remove {
		s.removedItself(ctx, &r)
	}
	s.logEnd(&r)
	for _, e := range events {
		if e.Kind == EventRecovered {
			s.log.Info("configuration recovered", runAttrs(&r)...)
		}
	}
	if len(end.Notices) > 0 {
		s.opts.Notifier.Stored()
	}
	s.opts.Observer.RunChanged(r)
	return nil
}

// removedItself ends the subscription of a configuration that was removed with its
// run, unless it was replaced during the run.
func (s *Service) removedItself(ctx context.Context, r *stocktake.Run) {
	s.subscribing.Lock()
	defer s.subscribing.Unlock()
	if _, err := s.catalog.Configuration(ctx, r.Bucket, r.Configuration); errors.Is(err, stocktake.ErrNoSuchInventory) {
		s.unsubscribeGone(ctx, r.Bucket, r.Configuration)
	}
}

func (s *Service) logEnd(r *stocktake.Run) {
	if r.State == stocktake.Failed {
		s.log.Error("run failed", append(runAttrs(r), "reason", r.Reason)...)
		return
	}
	took := time.Duration(0)
	if !r.Started.IsZero() { // else it was cancelled before it started
		took = r.Ended.Sub(r.Started)
	}
	s.log.Info("run "+string(r.State), append(runAttrs(r), "listed", r.Listed, "matched", r.Matched, "bytes", r.Bytes,
		"shards", r.Shards, "took", took, "manifest", r.Manifest)...)
}

// runAttrs names a run in the log.
func runAttrs(r *stocktake.Run) []any {
	return []any{"bucket", r.Bucket, "configuration", r.Configuration, "run", r.ID, "attempt", r.Attempt, "due", r.Due}
}

// markLateRuns marks late runs and returns when the next run will be late; the zero time if none will.
func (s *Service) markLateRuns(ctx context.Context) (next time.Time, err error) {
	now := s.now()
	s.mu.Lock()
	next = s.nextLate
	s.mu.Unlock()
	if next.IsZero() || next.After(now) {
		return next, nil
	}
	for {
		told := 0
		late, err := s.catalog.MarkLate(ctx, now.Add(-s.opts.LateAfter), batch, func(r stocktake.Run) []Notice {
			notices := s.opts.Notifier.Notices(Event{EventLate, now, r})
			told += len(notices)
			return notices
		})
		if err != nil {
			return time.Time{}, err
		}
		for i := range late {
			s.markActiveLate(late[i].ID)
			s.log.Warn("run is late", append(runAttrs(&late[i]), "state", late[i].State)...)
		}
		if told > 0 {
			s.opts.Notifier.Stored()
		}
		if len(late) < batch {
			break
		}
	}
	return s.readNextLate(ctx)
}

// readNextLate reads from the catalog when a run will be late.
func (s *Service) readNextLate(ctx context.Context) (time.Time, error) {
	if s.opts.LateAfter < 0 {
		return time.Time{}, nil
	}
	return s.nextOf(ctx, &s.nextLate, func(ctx context.Context) (time.Time, error) {
		due, err := s.catalog.NextLate(ctx)
		if err != nil || due.IsZero() {
			return time.Time{}, err
		}
		return due.Add(s.opts.LateAfter), nil
	})
}

// markActiveLate marks a run in progress as late.
func (s *Service) markActiveLate(id string) {
	s.mu.Lock()
	a := s.active[id]
	s.mu.Unlock()
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.run.Late = true
}
