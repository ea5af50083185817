package inventory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
)

// A hidingCatalog hides everything of a bucket once the bucket was deleted, even
// if the catalog has failed to remove it. The removal is tried again by the next
// method that asks for something of the bucket, and by the scheduler. If the
// process ends before, the next one removes the bucket's configurations because
// it finds no such bucket.
type hidingCatalog struct {
	Catalog
	removing sync.Mutex // held while a bucket is removed, so that it is once

	mu   sync.Mutex
	gone map[string]bool // buckets that were deleted and not yet removed
}

func newHidingCatalog(c Catalog) *hidingCatalog {
	return &hidingCatalog{Catalog: c, gone: map[string]bool{}}
}

// RemoveBucket removes the bucket now or, after an error, later.
func (h *hidingCatalog) RemoveBucket(ctx context.Context, bucket string) error {
	h.mu.Lock()
	h.gone[bucket] = true
	h.mu.Unlock()
	return h.removeIfGone(ctx, bucket)
}

// removeIfGone removes the bucket if it is gone.
func (h *hidingCatalog) removeIfGone(ctx context.Context, bucket string) error {
	if !h.isGone(bucket) {
		return nil
	}
	h.removing.Lock()
	defer h.removing.Unlock()
	// If another goroutine has removed it, what is there belongs to a new bucket.
	if !h.isGone(bucket) {
		return nil
	}
	if err := h.Catalog.RemoveBucket(ctx, bucket); err != nil {
		return err
	}
	h.mu.Lock()
	delete(h.gone, bucket)
	h.mu.Unlock()
	return nil
}

func (h *hidingCatalog) isGone(bucket string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone[bucket]
}

// removeAllGone removes all buckets that are gone.
func (h *hidingCatalog) removeAllGone(ctx context.Context) error {
	h.mu.Lock()
	gone := slices.Collect(maps.Keys(h.gone))
	h.mu.Unlock()
	for _, bucket := range gone {
		if err := h.removeIfGone(ctx, bucket); err != nil {
			return err
		}
	}
	return nil
}

// The rest are the methods by which something of a bucket is found.

func (h *hidingCatalog) AddConfiguration(ctx context.Context, e Entry, first *stocktake.Run, by Holder, limit int) error {
	if err := h.removeIfGone(ctx, e.Bucket); err != nil {
		return err
	}
	return h.Catalog.AddConfiguration(ctx, e, first, by, limit)
}

func (h *hidingCatalog) ReplaceConfiguration(ctx context.Context, r Replacement, by Holder) ([]byte, error) {
	if err := h.removeIfGone(ctx, r.Old.Bucket); err != nil {
		return nil, err
	}
	return h.Catalog.ReplaceConfiguration(ctx, r, by)
}

func (h *hidingCatalog) Due(ctx context.Context, now time.Time, max int) ([]Entry, error) {
	entries, err := h.Catalog.Due(ctx, now, max)
	return slices.DeleteFunc(entries, func(e Entry) bool { return h.isGone(e.Bucket) }), err
}

func (h *hidingCatalog) DueWindows(ctx context.Context, now time.Time, max int) ([]Windows, error) {
	all, err := h.Catalog.DueWindows(ctx, now, max)
	return slices.DeleteFunc(all, func(w Windows) bool { return h.isGone(w.Bucket) }), err
}

func (h *hidingCatalog) Windows(ctx context.Context, bucket, id string) (Windows, error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return Windows{}, err
	}
	return h.Catalog.Windows(ctx, bucket, id)
}

func (h *hidingCatalog) Configuration(ctx context.Context, bucket, id string) (Entry, error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return Entry{}, err
	}
	return h.Catalog.Configuration(ctx, bucket, id)
}

func (h *hidingCatalog) Configurations(ctx context.Context, bucket, after string, max int) (page []Entry, more bool, err error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return nil, false, err
	}
	return h.Catalog.Configurations(ctx, bucket, after, max)
}

func (h *hidingCatalog) Document(ctx context.Context, bucket, id string) ([]byte, error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return nil, err
	}
	return h.Catalog.Document(ctx, bucket, id)
}

func (h *hidingCatalog) Documents(ctx context.Context, bucket, after string, max int) (page [][]byte, next string, err error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return nil, "", err
	}
	return h.Catalog.Documents(ctx, bucket, after, max)
}

func (h *hidingCatalog) EntryStatus(ctx context.Context, bucket, id string) (EntryStatus, error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return EntryStatus{}, err
	}
	return h.Catalog.EntryStatus(ctx, bucket, id)
}

func (h *hidingCatalog) EntryStatuses(ctx context.Context, bucket string) ([]EntryStatus, error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return nil, err
	}
	return h.Catalog.EntryStatuses(ctx, bucket)
}

func (h *hidingCatalog) SetRetention(ctx context.Context, bucket, id string, r stocktake.Retention) error {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return err
	}
	return h.Catalog.SetRetention(ctx, bucket, id, r)
}

func (h *hidingCatalog) Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return nil, err
	}
	return h.Catalog.Runs(ctx, bucket, id)
}

func (h *hidingCatalog) NewestRuns(ctx context.Context, bucket, id string, max int) ([]stocktake.Run, error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return nil, err
	}
	return h.Catalog.NewestRuns(ctx, bucket, id, max)
}

func (h *hidingCatalog) UnfinishedRuns(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	if err := h.removeIfGone(ctx, bucket); err != nil {
		return nil, err
	}
	return h.Catalog.UnfinishedRuns(ctx, bucket, id)
}
