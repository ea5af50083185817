package inventory

import (
	"context"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
)

// remove removes a configuration and its subscription.
func (s *Service) remove(ctx context.Context, bucket, id string) error {
	s.subscribing.Lock()
	defer s.subscribing.Unlock()
	if err := s.catalog.RemoveConfiguration(ctx, bucket, id); err != nil {
		return err
	}
	if s.buckets.StoreOf(bucket) == "" {
		s.unsubscribeGone(ctx, bucket, id)
	}
	return nil
}

// Get returns the document of a configuration, or [stocktake.ErrNoSuchInventory].
func (s *Service) Get(ctx context.Context, bucket, id string) (document []byte, err error) {
	return s.catalog.Document(ctx, bucket, id)
}

// List returns the documents of up to max configurations whose id sorts after after, in ascending
// order of id bytes, and the id of the last one if there are more. If the bucket has no
// configurations, it returns [stocktake.ErrNoSuchInventory].
func (s *Service) List(ctx context.Context, bucket, after string, max int) (page [][]byte, next string, err error) {
	page, next, err = s.catalog.Documents(ctx, bucket, after, max)
	if err != nil {
		return nil, "", err
	}
	if len(page) == 0 {
		some, _, err := s.catalog.Documents(ctx, bucket, "", 1)
		if err != nil {
			return nil, "", err
		}
		if len(some) == 0 {
			return nil, "", stocktake.ErrNoSuchInventory
		}
	}
	return page, next, nil
}

// Delete removes a configuration and the history of its runs; a missing one is not an error. Its
// unfinished runs are cancelled: when Delete returns, they have ended and publish nothing. If ctx
// ends first, Delete returns its error: the configuration is removed, and its runs are about to
// end.
func (s *Service) Delete(ctx context.Context, bucket, id string) error {
	_, err := s.catalog.Configuration(ctx, bucket, id)
	if errors.Is(err, stocktake.ErrNoSuchInventory) {
		// AutoDelete may just have removed it; remove its history as well.
		return s.remove(ctx, bucket, id)
	}
	if err != nil {
		return err
	}
	unfinished, err := s.catalog.UnfinishedRuns(ctx, bucket, id)
	if err != nil {
		return err
	}
	madeBy := make([]stocktake.InventoryConfiguration, len(unfinished))
	for i, r := range unfinished {
		if madeBy[i], err = s.catalog.RunConfiguration(ctx, r.ID); err != nil && !errors.Is(err, stocktake.ErrNoSuchInventory) {
			return err
		}
	}
	if s.opts.Shared { // another process may hold the runs
		for _, r := range unfinished {
			if _, err := s.cancel(ctx, r); err != nil && !errors.Is(err, stocktake.ErrNoSuchRun) {
				return err
			}
		}
	}
	if err := s.remove(ctx, bucket, id); err != nil {
		return err
	}
	if err := s.stop(ctx, errDeleted, bucket, func(w *waiting) bool { return w.configuration == id }); err != nil {
		return err
	}
	s.forgetRemovalWarnings(bucket, id)
	for i, r := range unfinished {
		if madeBy[i].ID == "" {
			continue // it was just removed
		}
		s.cleanInterrupted(ctx, r, madeBy[i])
	}
	return nil
}

// BucketDeleted removes all configurations and runs of a deleted bucket, even if ctx has ended,
// since the caller cannot repeat the call. Its runs are cancelled as with Delete. A failing catalog
// is not an error: they are removed later, at the latest by [Service.ForgetDeleted].
func (s *Service) BucketDeleted(ctx context.Context, bucket string) error {
	s.deleted.add(bucket)
	if err := s.ForgetDeleted(context.WithoutCancel(ctx), bucket); err != nil {
		s.log.Error("catalog failed; the inventory configurations of a deleted bucket are removed later", "bucket", bucket, "err", err)
		s.wake()
	}
	err := s.stop(ctx, errDeleted, bucket, func(*waiting) bool { return true })
	s.forgetRemovalWarnings(bucket, "")
	return err
}

// stop cancels the attempts of the selected runs of a bucket, and waits for their end. It removes
// queued runs from the queue.
func (s *Service) stop(ctx context.Context, cause error, bucket string, selected func(*waiting) bool) error {
	s.unqueue(bucket, selected)
	var stopped []*attempt
	s.mu.Lock()
	for _, a := range s.active {
		if a.bucket == bucket && selected(&a.waiting) {
			a.cancel(cause)
			stopped = append(stopped, a)
		}
	}
	s.mu.Unlock()
	for _, a := range stopped {
		select {
		case <-a.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of run %s: %w", a.id, ctx.Err())
		}
	}
	return nil
}

// unqueue removes the selected runs of a bucket from the queue.
func (s *Service) unqueue(bucket string, selected func(*waiting) bool) {
	s.mu.Lock()
	dropped := s.queue.drop(bucket, selected) + s.dropDelayed(bucket, selected)
	s.mu.Unlock()
	if dropped > 0 {
		s.wake() // no work may be left
	}
}

// cleanInterrupted removes the files of a run that was interrupted by a crash and will not be
// attempted again. r is the run before it ended. A run in state Queued may have been started
// nevertheless: see [attempt.record].
func (s *Service) cleanInterrupted(ctx context.Context, r stocktake.Run, cfg stocktake.InventoryConfiguration) {
	s.mu.Lock()
	taken := s.taken[r.ID]
	delete(s.taken, r.ID)
	s.mu.Unlock()
	if r.Attempt < 2 && r.State == stocktake.Queued && !taken {
		return
	}
	if err := s.runner.Clean(context.WithoutCancel(ctx), Task{Run: r, Configuration: cfg}); err != nil {
		s.log.Warn("cannot remove the files of an interrupted run", "bucket", r.Bucket, "configuration", r.Configuration,
			"run", r.ID, "err", err)
	}
}
