// Package membucket is a store in memory, for tests. It is a source and a destination of runs,
// and implements the contract of internal/engine exactly. It overwrites each batch when yield
// returns, so that code that retains a batch fails.
//
// [Uniform] is a source of any size that stores nothing, for benchmarks.
package membucket

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// A Store is a set of buckets.
type Store struct {
	now     func() time.Time
	mu      sync.Mutex // of all buckets as well
	buckets map[string]*Bucket
}

// New returns a store with the buckets named. Its clock is now; nil means
// time.Now.
func New(now func() time.Time, buckets ...string) *Store {
	if now == nil {
		now = time.Now
	}
	s := &Store{now: now, buckets: make(map[string]*Bucket)}
	for _, name := range buckets {
		s.buckets[name] = &Bucket{store: s, objects: make(map[string][]version)}
	}
	return s
}

// Bucket returns the bucket called name, or nil.
func (s *Store) Bucket(name string) *Bucket { return s.buckets[name] }

// Snapshot implements [engine.Source].
func (s *Store) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := s.buckets[bucket]
	if b == nil {
		return nil, fmt.Errorf("%s: %w", bucket, stocktake.ErrNoSuchBucket)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &snapshot{time: s.now(), records: b.records()}, nil
}

// A Bucket is a bucket of a [Store] and an [engine.Destination].
type Bucket struct {
	store      *Store
	versioning Versioning
	objects    map[string][]version // newest first
	last       int                  // number of the version made last
	sorted     []stocktake.Record   // of all versions; nil: must be computed again
}

// Versioning is the versioning state of a bucket. The zero value is never
// enabled.
type Versioning uint8

// The versioning states.
const (
	Unversioned Versioning = iota
	Enabled
	Suspended
)

// NullVersion is the version id of objects that were put while versioning was not
// enabled, in a bucket where it has been enabled since.
const NullVersion = "null"

type version struct {
	record stocktake.Record
	body   []byte
}

// SetVersioning enables or suspends versioning.
func (b *Bucket) SetVersioning(v Versioning) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if b.versioning == Unversioned && v != Unversioned {
		for _, versions := range b.objects {
			versions[0].record.VersionID = []byte(NullVersion)
		}
	}
	b.versioning, b.sorted = v, nil
}

// Put adds r as the current version of its key, subject to versioning, with a VersionID of the
// bucket, which it returns. If r.LastModified is 0, the version gets the time of the store's
// clock.
func (b *Bucket) Put(r stocktake.Record) (versionID string) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	return b.put(version{record: clone(r)})
}

// Delete deletes the current version of key, subject to versioning. It returns the version id
// of the delete marker, or nothing if it adds none.
func (b *Bucket) Delete(key string) (versionID string) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if b.versioning == Unversioned {
		delete(b.objects, key)
		b.sorted = nil
		return ""
	}
	return b.put(version{record: stocktake.Record{Key: []byte(key), IsDeleteMarker: true}})
}

// DeleteVersion deletes one version of key permanently. The newest of the others becomes the
// latest.
func (b *Bucket) DeleteVersion(key, versionID string) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(b.objects[key]), func(v version) bool { return string(v.record.VersionID) == versionID })
	b.objects[key], b.sorted = left, nil
	if len(left) == 0 {
		delete(b.objects, key)
		return
	}
	left[0].record.IsLatest = true
}

// Load adds records unchanged. They must be sorted by key, and those of one key newest first.
// If a key already has versions, the added ones count as older.
func (b *Bucket) Load(records ...stocktake.Record) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	for _, r := range records {
		b.objects[string(r.Key)] = append(b.objects[string(r.Key)], version{record: clone(r)})
	}
	b.sorted = nil
}

// put requires the lock.
func (b *Bucket) put(v version) (versionID string) {
	r := &v.record
	key := string(r.Key)
	versions := b.objects[key]
	switch b.versioning {
	case Unversioned:
		versions, r.VersionID = nil, nil
	case Enabled:
		b.last++
		r.VersionID = fmt.Appendf(nil, "v%08d", b.last)
	case Suspended:
		r.VersionID = []byte(NullVersion)
		versions = slices.DeleteFunc(slices.Clone(versions), func(v version) bool {
			return string(v.record.VersionID) == NullVersion
		})
	}
	r.IsLatest = true
	r.LastModified = cmp.Or(r.LastModified, b.store.now().Unix())
	for i := range versions {
		versions[i].record.IsLatest = false
	}
	b.objects[key] = slices.Insert(versions, 0, v)
	b.sorted = nil
	return string(r.VersionID)
}

// records returns the versions of all keys. The result is not changed later. It requires the
// lock.
func (b *Bucket) records() []stocktake.Record {
	if b.sorted == nil {
		b.sorted = []stocktake.Record{}
		for _, versions := range b.objects {
			for _, v := range versions {
				b.sorted = append(b.sorted, v.record)
			}
		}
		slices.SortStableFunc(b.sorted, func(x, y stocktake.Record) int { return bytes.Compare(x.Key, y.Key) })
	}
	return b.sorted
}

func clone(r stocktake.Record) stocktake.Record {
	r.Key, r.VersionID, r.ETag.Text = bytes.Clone(r.Key), bytes.Clone(r.VersionID), bytes.Clone(r.ETag.Text)
	return r
}
