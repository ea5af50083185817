package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// buckets are all buckets, in memory; the index has them durably.
type buckets struct {
	making sync.Mutex // held while a bucket is made or removed
	last   uint32     // the last id given out; guarded by making

	mu     sync.RWMutex // never held during I/O
	byName map[string]*bucket
}

// A bucket is the memory of one bucket.
type bucket struct {
	id   uint32 // never reused, so that a bucket created again does not see old rows
	stat counters

	// mu is held for reading by a change of an object, so that the bucket does not change until the
	// commit.
	mu    sync.RWMutex
	gone  bool
	state atomic.Pointer[object.Bucket] // immutable; replaced as a whole

	journal atomic.Pointer[bucketJournal] // nil: it has no readers; stored with mu held for writing
}

// counters are a bucket's statistics in memory: the sum of all deltas in the index.
type counters struct {
	mu  sync.Mutex
	sum layout.Delta
}

func (c *counters) load() layout.Delta {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum
}

// loadBuckets reads all buckets and their statistics.
func (s *Store) loadBuckets() error {
	s.buckets.byName = map[string]*bucket{}
	last, err := s.get(layout.KeyBuckets)
	if err != nil {
		return err
	}
	if last != nil {
		s.buckets.last = binary.BigEndian.Uint32(last)
	}
	return s.eachBucket(func(name string, id uint32, state *object.Bucket, _ []byte) error {
		b := &bucket{id: id}
		b.state.Store(state)
		stat, err := s.get(layout.StatisticsKey(id))
		if err != nil {
			return err
		}
		if b.stat.sum, err = layout.ParseDelta(stat); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
		s.buckets.byName[name] = b
		return s.loadJournal(b)
	})
}

// eachBucket calls do with each bucket of the index, by name. value is its value in the index and
// is valid until do returns.
func (s *Store) eachBucket(do func(name string, id uint32, b *object.Bucket, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{layout.SpaceBuckets}, UpperBound: []byte{layout.SpaceBuckets + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		name := string(it.Key()[1:])
		id, b, err := layout.DecodeBucket(name, value)
		if err != nil {
			return err
		}
		if err := do(name, id, b, value); err != nil {
			return err
		}
	}
	return it.Error()
}

// bucketByID finds a bucket by its id; nil if there is none.
func (s *Store) bucketByID(id uint32) *bucket {
	s.buckets.mu.RLock()
	defer s.buckets.mu.RUnlock()
	for _, b := range s.buckets.byName {
		if b.id == id {
			return b
		}
	}
	return nil
}

// CreateBucket implements ossapi.Buckets.
func (s *Store) CreateBucket(_ context.Context, by object.Origin, want object.Bucket, setACL bool) error {
	if err := cmp.Or(checkOrigin(by), s.mayWrite(0)); err != nil {
		return err
	}
	s.buckets.making.Lock()
	defer s.buckets.making.Unlock()
	if b, err := s.bucket(want.Name); err == nil {
		have := b.state.Load()
		if have.Owner != want.Owner || have.StorageClass != want.StorageClass || have.Redundancy != want.Redundancy {
			return object.ErrBucketExists
		}
		if !setACL || have.ACL == want.ACL {
			return nil
		}
		return s.updateBucket(by, b, func(b *object.Bucket) error {
			b.ACL = want.ACL
			return nil
		})
	}
	if s.ownedBuckets(want.Owner) >= s.opts.MaxBuckets {
		return object.ErrTooManyBuckets
	}
	state := new(want)
	if state.Created.IsZero() {
		state.Created = s.now()
	}
	b := &bucket{id: s.buckets.last + 1}
	b.state.Store(state)
	value, err := layout.EncodeBucket(b.id, state)
	if err != nil {
		return err
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := errors.Join(
		batch.Set(layout.BucketKey(want.Name), value, nil),
		batch.Set(layout.KeyBuckets, binary.BigEndian.AppendUint32(nil, b.id), nil),
	); err != nil {
		return err
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	s.buckets.last = b.id
	s.buckets.mu.Lock()
	s.buckets.byName[want.Name] = b
	s.buckets.mu.Unlock()
	return nil
}

func (s *Store) ownedBuckets(owner string) (n int) {
	s.buckets.mu.RLock()
	defer s.buckets.mu.RUnlock()
	for _, b := range s.buckets.byName {
		if b.state.Load().Owner == owner {
			n++
		}
	}
	return n
}

// BucketNames returns the names of the buckets of all owners, in no order.
func (s *Store) BucketNames() []string {
	s.buckets.mu.RLock()
	defer s.buckets.mu.RUnlock()
	return slices.Collect(maps.Keys(s.buckets.byName))
}

// Buckets implements ossapi.Buckets.
func (s *Store) Buckets(_ context.Context, owner, prefix, after string, limit int) (page []object.Bucket, more bool, err error) {
	s.buckets.mu.RLock()
	var states []*object.Bucket
	for name, b := range s.buckets.byName {
		if state := b.state.Load(); state.Owner == owner && strings.HasPrefix(name, prefix) && name > after {
			states = append(states, state)
		}
	}
	s.buckets.mu.RUnlock()
	slices.SortFunc(states, func(a, b *object.Bucket) int { return strings.Compare(a.Name, b.Name) })
	for _, state := range states[:min(len(states), max(limit, 0))] {
		page = append(page, *state)
	}
	return page, len(page) < len(states), nil
}

// UpdateBucket implements ossapi.Buckets. Name, owner and time of creation cannot
// be changed, and versioning cannot be removed.
func (s *Store) UpdateBucket(_ context.Context, by object.Origin, name string, update func(*object.Bucket) error) error {
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	return s.updateBucket(by, b, update)
}

var errUnversion = errors.New("versioning cannot be removed, only suspended")

func (s *Store) updateBucket(by object.Origin, b *bucket, update func(*object.Bucket) error) error {
	if err := cmp.Or(checkOrigin(by), s.mayWrite(0)); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return stocktake.ErrNoSuchBucket
	}
	have := b.state.Load()
	state := new(*have)
	if err := update(state); err != nil {
		return err
	}
	state.Name, state.Owner, state.Created = have.Name, have.Owner, have.Created
	if state.Versioning == object.Unversioned && have.Versioning != object.Unversioned {
		return errUnversion
	}
	value, err := layout.EncodeBucket(b.id, state)
	if err != nil {
		return err
	}
	if err := s.db.Set(layout.BucketKey(state.Name), value, pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	b.state.Store(state)
	return nil
}

// DeleteBucket implements ossapi.Buckets.
func (s *Store) DeleteBucket(_ context.Context, by object.Origin, name string) error {
	if err := cmp.Or(checkOrigin(by), s.mayDelete()); err != nil {
		return err
	}
	s.buckets.making.Lock()
	defer s.buckets.making.Unlock()
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, space := range []byte{layout.SpaceVersions, layout.SpaceUploads} {
		empty, err := s.emptySpace(space, b.id)
		if err != nil {
			return err
		}
		if !empty {
			return object.ErrBucketNotEmpty
		}
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := errors.Join(
		batch.Delete(layout.BucketKey(name), nil),
		batch.Delete(layout.StatisticsKey(b.id), nil),
		s.removeJournal(batch, b),
	); err != nil {
		return err
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	b.gone = true
	s.setJournal(b, nil)
	s.buckets.mu.Lock()
	delete(s.buckets.byName, name)
	s.buckets.mu.Unlock()
	return nil
}

func (s *Store) emptySpace(space byte, bucket uint32) (bool, error) {
	head := layout.AppendBucketHead(nil, space, bucket)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: head, UpperBound: layout.After(head)})
	if err != nil {
		return false, err
	}
	found := it.First()
	return !found, errors.Join(it.Error(), it.Close())
}

// BucketStat implements ossapi.Buckets.
func (s *Store) BucketStat(_ context.Context, name string) (object.BucketStat, error) {
	b, err := s.bucket(name)
	if err != nil {
		return object.BucketStat{}, err
	}
	sum := b.stat.load()
	return sum.Stat(), nil
}
