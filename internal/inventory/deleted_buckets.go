package inventory

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// deletedBuckets are the deleted buckets whose configurations are still in the catalog because it
// failed. The scheduler ignores those configurations and removes them as soon as the catalog works.
// If the process ends first, the next one removes them, since it finds no such bucket. The zero
// value is ready.
type deletedBuckets struct {
	removing sync.Mutex // held during a removal, so that each bucket is removed once

	mu    sync.Mutex
	names map[string]bool
}

func (d *deletedBuckets) add(bucket string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil {
		d.names = map[string]bool{}
	}
	d.names[bucket] = true
}

func (d *deletedBuckets) has(bucket string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[bucket]
}

// ForgetDeleted removes the configurations and runs of a deleted bucket that the
// catalog could not remove when the bucket was deleted. It must return nil before a
// bucket of the same name is created, which would inherit them otherwise.
func (s *Service) ForgetDeleted(ctx context.Context, bucket string) error {
	d := &s.deleted
	if !d.has(bucket) {
		return nil
	}
	d.removing.Lock()
	defer d.removing.Unlock()
	// If another goroutine has removed it, the present configurations belong to a new bucket.
	if !d.has(bucket) {
		return nil
	}
	if err := s.catalog.RemoveBucket(ctx, bucket); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, bucket)
	return nil
}

// forgetAllDeleted calls ForgetDeleted for each deleted bucket.
func (s *Service) forgetAllDeleted(ctx context.Context) error {
	s.deleted.mu.Lock()
	names := slices.Sorted(maps.Keys(s.deleted.names))
	s.deleted.mu.Unlock()
	for _, bucket := range names {
		if err := s.ForgetDeleted(ctx, bucket); err != nil {
			return err
		}
	}
	return nil
}
