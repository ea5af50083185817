package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
)

// defaultWindow is the length of a window in OSS.
const defaultWindow = stocktake.IncrementalWindow * time.Second

// windowOf returns the start of the window that contains t.
func (s *Service) windowOf(t time.Time) time.Time {
	length := int64(s.opts.Window / time.Second)
	return time.Unix(t.Unix()-t.Unix()%length, 0).UTC()
}

// windowEnd returns the end of the window that starts at start. After a change of the length, the
// first window ends at a multiple of the new length.
func (s *Service) windowEnd(start time.Time) time.Time { return s.windowOf(start).Add(s.opts.Window) }

// subscribe starts journalling changes for a new configuration. The caller holds s.subscribing, has
// checked that the configuration does not exist, and calls unsubscribe if it is not stored.
func (s *Service) subscribe(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) (*Windows, error) {
	now := s.now()
	// A position left by an earlier configuration of the same id does not apply to the new one.
	if err := s.unsubscribe(ctx, bucket, cfg.ID); err != nil {
		return nil, err
	}
	at, err := s.opts.Journal.Subscribe(ctx, bucket, cfg.ID, cfg.Filter.Prefix)
	if err != nil {
		return nil, fmt.Errorf("subscribe to the changes of the bucket: %w", err)
	}
	w := &Windows{Bucket: bucket, ID: cfg.ID, After: at, Joined: at, Subscribed: at}
	// The clock may be behind the journal, whose times never fall.
	if behind := time.UnixMilli(at.Time).UTC(); behind.After(now) {
		now = behind
	}
	w.Start = s.windowOf(now)
	w.Wake = s.windowEnd(w.Start)
	return w, nil
}

// unsubscribe undoes subscribe. A missing reader is not an error.
func (s *Service) unsubscribe(ctx context.Context, bucket, id string) error {
	if s.opts.Journal == nil {
		return nil
	}
	err := s.opts.Journal.Unsubscribe(ctx, bucket, id)
	if err != nil && !errors.Is(err, journal.ErrNoReader) && !errors.Is(err, stocktake.ErrNoSuchBucket) {
		return fmt.Errorf("unsubscribe from the changes of the bucket: %w", err)
	}
	return nil
}

// unsubscribeGone ends the subscription of a removed configuration. After an error, the next start
// ends it.
func (s *Service) unsubscribeGone(ctx context.Context, bucket, id string) {
	if err := s.unsubscribe(context.WithoutCancel(ctx), bucket, id); err != nil {
		s.log.Warn("the journal still keeps changes for a deleted configuration; the next start corrects this",
			"bucket", bucket, "configuration", id, "err", err)
	}
}

// unsubscribeStrays ends the subscriptions of a bucket that belong to no configuration, because a
// process ended between two steps.
func (s *Service) unsubscribeStrays(ctx context.Context, bucket string) error {
	if s.opts.Journal == nil || s.buckets.StoreOf(bucket) != "" {
		return nil
	}
	readers, err := s.opts.Journal.Readers(ctx, bucket)
	if errors.Is(err, stocktake.ErrNoSuchBucket) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the readers of the journal of %s: %w", bucket, err)
	}
	for _, r := range readers {
		_, err := s.catalog.Windows(ctx, bucket, r.ID)
		if errors.Is(err, stocktake.ErrNoSuchInventory) {
			err = s.unsubscribe(ctx, bucket, r.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeWindows makes the runs of ended windows and returns the end of the next window; the zero time
// if there is none. A configuration has one such run at a time: after the run of a late window the
// next window follows at once, in order.
func (s *Service) makeWindows(ctx context.Context) (next time.Time, err error) {
	if s.opts.Journal == nil {
		return time.Time{}, nil
	}
	now := s.now()
	s.mu.Lock()
	next = s.nextWindow
	s.mu.Unlock()
	if next.IsZero() || next.After(now) {
		return next, nil
	}
	for {
		due, err := s.catalog.DueWindows(ctx, now, batch)
		if err != nil {
			return time.Time{}, err
		}
		due = slices.DeleteFunc(due, func(w Windows) bool { return s.deleted.has(w.Bucket) })
		for i := range due {
			if err := s.makeWindow(ctx, &due[i], now); err != nil {
				return time.Time{}, err
			}
		}
		if len(due) < batch {
			break
		}
	}
	return s.readNextWindow(ctx)
}

func (s *Service) makeWindow(ctx context.Context, w *Windows, now time.Time) error {
	end := s.windowEnd(w.Start)
	if end.After(now) { // windows have become longer
		w.Wake = end
		return s.catalog.WakeWindows(ctx, *w)
	}
	e, err := s.catalog.Configuration(ctx, w.Bucket, w.ID)
	if errors.Is(err, stocktake.ErrNoSuchInventory) {
		return nil // its windows were removed with it
	}
	if err != nil {
		return err
	}
	r := s.newRun(&e, stocktake.IncrementalRun, stocktake.TriggerScheduled, end)
	r.Window = stocktake.RunWindow{Start: w.Start, End: end}
	added, err := s.catalog.AddWindowRun(ctx, r, s.holder)
	if err != nil {
		return err
	}
	if added {
		s.enqueue(ctx, r)
		return nil
	}
	// Another process was first, or the configuration was just removed.
	w.Wake = s.windowEnd(now)
	return s.catalog.WakeWindows(ctx, *w)
}

// readNextWindow reads from the catalog when the next window ends.
func (s *Service) readNextWindow(ctx context.Context) (time.Time, error) {
	if s.opts.Journal == nil {
		return time.Time{}, nil
	}
	return s.nextOf(ctx, &s.nextWindow, s.catalog.NextWindow)
}

// windowsAfter returns the progress of a configuration's windows after the end of a run; nil if
// they were removed. If the run did not succeed, the window is made again when the next one ends,
// and its recorded report is published then, if possible.
func (s *Service) windowsAfter(ctx context.Context, r *stocktake.Run, outcome *Outcome, forget bool) (*Windows, error) {
	w, err := s.catalog.Windows(ctx, r.Bucket, r.Configuration)
	if errors.Is(err, stocktake.ErrNoSuchInventory) || err == nil && !w.Start.Equal(r.Window.Start) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.State != stocktake.Succeeded {
		w.Wake = s.windowEnd(s.now())
		recorded, err := s.catalog.RecordedReport(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		if forget {
			w.Recorded = nil
		} else if recorded != nil {
			w.Recorded = recorded
		}
		return &w, nil
	}
	w.Start, w.After, w.Recorded = outcome.Next, outcome.Until, nil
	if w.Start.Before(r.Window.End) {
		w.Start = r.Window.End
	}
	if outcome.Manifest != "" {
		w.Joined = outcome.Until
	}
	w.Wake = s.windowEnd(w.Start)
	return &w, nil
}

// windowEnded tells the journal up to which change a configuration's changes are reported, after
// the catalog has recorded it, and makes the scheduler check for the next window.
func (s *Service) windowEnded(ctx context.Context, w *Windows, succeeded bool) {
	if succeeded && s.opts.Journal != nil {
		err := s.opts.Journal.Published(context.WithoutCancel(ctx), w.Bucket, w.ID, w.After)
		if err != nil && !errors.Is(err, journal.ErrNoReader) && !errors.Is(err, stocktake.ErrNoSuchBucket) {
			s.log.Warn("cannot release reported changes in the journal; it keeps them until after the next window",
				"bucket", w.Bucket, "configuration", w.ID, "err", err)
		}
	}
	s.mu.Lock()
	sooner := s.nextWindow.IsZero() || w.Wake.Before(s.nextWindow)
	if sooner {
		s.nextWindow = w.Wake
	}
	s.mu.Unlock()
	if sooner {
		s.wake()
	}
}

// resumeWindows makes the scheduler check the windows of a resumed configuration. Changes made
// meanwhile are reported.
func (s *Service) resumeWindows() {
	s.mu.Lock()
	s.nextWindow = earlier(s.nextWindow, s.now())
	s.mu.Unlock()
	s.wake()
}

// windowTask returns the task of an incremental run; nil for other runs.
func (s *Service) windowTask(ctx context.Context, r *stocktake.Run) (*WindowTask, []byte, error) {
	if r.Kind != stocktake.IncrementalRun {
		return nil, nil, nil
	}
	w, err := s.catalog.Windows(ctx, r.Bucket, r.Configuration)
	if err != nil {
		return nil, nil, err
	}
	now := s.windowOf(s.now())
	if now.Before(r.Window.End) {
		now = r.Window.End
	}
	return &WindowTask{After: w.After, Joined: w.Joined, Subscribed: w.Subscribed, Now: now, Length: s.opts.Window}, w.Recorded, nil
}

// incrementalStatus returns the progress of the incremental reports of a configuration; nil if it
// has none.
func (s *Service) incrementalStatus(ctx context.Context, e *Entry) *stocktake.IncrementalStatus {
	if !reportsChanges(&e.Configuration) {
		return nil
	}
	w, err := s.catalog.Windows(ctx, e.Bucket, e.Configuration.ID)
	if err != nil {
		return nil // it was just deleted, or the catalog fails, which the caller detects itself
	}
	st := &stocktake.IncrementalStatus{Published: w.Start}
	if !e.Suspended && s.opts.Journal != nil {
		st.Next = w.Wake
	}
	runs, err := s.catalog.NewestRuns(ctx, e.Bucket, e.Configuration.ID, lookBack)
	if err != nil {
		return st
	}
	for _, r := range runs {
		if r.Kind == stocktake.IncrementalRun {
			st.Last = new(s.withProgress(r))
			break
		}
	}
	return st
}

// lookBack is how many runs are searched for the newest incremental one. At most
// one full run lies between two windows.
const lookBack = 10
