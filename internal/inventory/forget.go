package inventory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
)

// A forgetter is a catalog in which nobody finds anything of a bucket once the
// bucket was deleted, even if the catalog has failed to remove it: that is tried
// again by the next who asks for something of the bucket, and by the scheduler.
// If the process ends before, the next one does it when it finds no such bucket.
type forgetter struct {
	Catalog
	forgetting sync.Mutex // held while a bucket is removed, so that it is once

	mu   sync.Mutex
	gone map[string]bool // buckets that were deleted and not yet removed
}

func newForgetter(c Catalog) *forgetter { return &forgetter{Catalog: c, gone: map[string]bool{}} }

// RemoveBucket removes the bucket now or, after an error, later.
func (f *forgetter) RemoveBucket(ctx context.Context, bucket string) error {
	f.mu.Lock()
	f.gone[bucket] = true
	f.mu.Unlock()
	return f.forget(ctx, bucket)
}

// forget removes the bucket if it is gone.
func (f *forgetter) forget(ctx context.Context, bucket string) error {
	if !f.isGone(bucket) {
		return nil
	}
	f.forgetting.Lock()
	defer f.forgetting.Unlock()
	// What is there once somebody else has removed it is of a new bucket.
	if !f.isGone(bucket) {
		return nil
	}
	if err := f.Catalog.RemoveBucket(ctx, bucket); err != nil {
		return err
	}
	f.mu.Lock()
	delete(f.gone, bucket)
	f.mu.Unlock()
	return nil
}

func (f *forgetter) isGone(bucket string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gone[bucket]
}

// forgetAll removes all buckets that are gone.
func (f *forgetter) forgetAll(ctx context.Context) error {
	f.mu.Lock()
	gone := slices.Collect(maps.Keys(f.gone))
	f.mu.Unlock()
	for _, bucket := range gone {
		if err := f.forget(ctx, bucket); err != nil {
			return err
		}
	}
	return nil
}

// The rest are the methods by which something of a bucket is found.

func (f *forgetter) AddConfiguration(ctx context.Context, e Entry, first *stocktake.Run, limit int) error {
	if err := f.forget(ctx, e.Bucket); err != nil {
		return err
	}
	return f.Catalog.AddConfiguration(ctx, e, first, limit)
}

func (f *forgetter) Due(ctx context.Context, now time.Time, max int) ([]Entry, error) {
	entries, err := f.Catalog.Due(ctx, now, max)
	return slices.DeleteFunc(entries, func(e Entry) bool { return f.isGone(e.Bucket) }), err
}

func (f *forgetter) Configuration(ctx context.Context, bucket, id string) (Entry, error) {
	if err := f.forget(ctx, bucket); err != nil {
		return Entry{}, err
	}
	return f.Catalog.Configuration(ctx, bucket, id)
}

func (f *forgetter) Document(ctx context.Context, bucket, id string) ([]byte, error) {
	if err := f.forget(ctx, bucket); err != nil {
		return nil, err
	}
	return f.Catalog.Document(ctx, bucket, id)
}

func (f *forgetter) Documents(ctx context.Context, bucket, after string, max int) (page [][]byte, next string, err error) {
	if err := f.forget(ctx, bucket); err != nil {
		return nil, "", err
	}
	return f.Catalog.Documents(ctx, bucket, after, max)
}

func (f *forgetter) Configurations(ctx context.Context, bucket, after string, max int) (page []Entry, more bool, err error) {
	if err := f.forget(ctx, bucket); err != nil {
		return nil, false, err
	}
	return f.Catalog.Configurations(ctx, bucket, after, max)
}

func (f *forgetter) Standing(ctx context.Context, bucket, id string) (Standing, error) {
	if err := f.forget(ctx, bucket); err != nil {
		return Standing{}, err
	}
	return f.Catalog.Standing(ctx, bucket, id)
}

func (f *forgetter) Standings(ctx context.Context, bucket string) ([]Standing, error) {
	if err := f.forget(ctx, bucket); err != nil {
		return nil, err
	}
	return f.Catalog.Standings(ctx, bucket)
}

func (f *forgetter) SetRetention(ctx context.Context, bucket, id string, r stocktake.Retention) error {
	if err := f.forget(ctx, bucket); err != nil {
		return err
	}
	return f.Catalog.SetRetention(ctx, bucket, id, r)
}

func (f *forgetter) Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	if err := f.forget(ctx, bucket); err != nil {
		return nil, err
	}
	return f.Catalog.Runs(ctx, bucket, id)
}

func (f *forgetter) NewestRuns(ctx context.Context, bucket, id string, max int) ([]stocktake.Run, error) {
	if err := f.forget(ctx, bucket); err != nil {
		return nil, err
	}
	return f.Catalog.NewestRuns(ctx, bucket, id, max)
}

func (f *forgetter) Going(ctx context.Context, bucket, id string) (stocktake.Run, error) {
	if err := f.forget(ctx, bucket); err != nil {
		return stocktake.Run{}, err
	}
	return f.Catalog.Going(ctx, bucket, id)
}
