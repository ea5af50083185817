package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// bucket finds a bucket.
func (s *Store) bucket(name string) (*bucket, error) {
	s.buckets.mu.RLock()
	defer s.buckets.mu.RUnlock()
	b := s.buckets.byName[name]
	if b == nil {
		return nil, stocktake.ErrNoSuchBucket
	}
	return b, nil
}

// Bucket implements ossapi.Buckets.
func (s *Store) Bucket(_ context.Context, name string) (object.Bucket, error) {
	b, err := s.bucket(name)
	if err != nil {
		return object.Bucket{}, err
	}
	return *b.state.Load(), nil
}

// A change is one atomic change of a bucket that is being committed.
type change struct {
	s       *Store
	by      object.Origin // who makes it
	b       *bucket
	batch   *pebble.Batch
	delta   layout.Delta
	removed []removal // blob files that no row names any more

	bound uint64 // no version of the key has a greater sequence number
	top   uint64 // the newest version was removed: no remaining one has a greater number; 0: it was not
	added bool   // the change writes rows of the key

	journal   *bucketJournal // nil: no reader wants the changes of this key
	versioned bool           // the bucket shows ids of versions
	entries   *entries       // of the journal; nil: none
	queued                   // for the journal
	crowded   bool           // the journal has less than a quarter of its space left, or had
}

// errUncertain reports a change that is visible but may not be durable yet.
var errUncertain = errors.New("the change may not be durable")

// change does what commit does, for changes that need room on the disk.
func (s *Store) change(by object.Origin, b *bucket, key string, build func(*change, *object.Bucket) error) error {
	if err := s.mayWrite(0); err != nil {
		return err
	}
	return s.commit(by, b, key, build)
}

// checkOrigin returns object.ErrNoOrigin if by has no principal.
func checkOrigin(by object.Origin) error {
	if by.Principal == "" {
		return object.ErrNoOrigin
	}
	return nil
}

// commit runs build under the locks of a key and commits the change that it built. The bucket does
// not change from the call of build to the commit. When commit returns nil the change is durable.
func (s *Store) commit(by object.Origin, b *bucket, key string, build func(*change, *object.Bucket) error) error {
	if err := checkOrigin(by); err != nil {
		return err
	}
	c := &change{s: s, by: by, b: b, batch: s.db.NewBatch()}
	defer c.batch.Close()
	err := c.apply(key, build)
	if c.entries != nil {
		c.entries.free()
	}
	if err != nil {
		return err
	}
	if c.journal == nil {
		err = s.syncWait(c.batch)
	} else {
		err = c.sync()
	}
	if err != nil {
		return err
	}
	if c.crowded {
		s.boundJournal(b, c.journal)
	}
	for _, r := range c.removed {
		if !s.pins.defers(r.seq, r.files) {
			s.reap(layout.SpaceRemovals, r.files...)
		}
	}
	return nil
}

// syncWait waits until a batch that is in the log of the index is durable. If it
// cannot become durable, the process ends.
func (s *Store) syncWait(batch *pebble.Batch) error {
	err := batch.SyncWait()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%w: %w", errUncertain, err)
	s.opts.Log.Error("cannot sync the log of the index; the process ends", "err", err)
	s.opts.fatal(err)
	return err
}

// apply makes the change visible and queues it for the log, ahead of every later
// change under the same locks.
func (c *change) apply(key string, build func(*change, *object.Bucket) error) error {
	c.b.mu.RLock()
	defer c.b.mu.RUnlock()
	if c.b.gone {
		return stocktake.ErrNoSuchBucket
	}
	stripe := c.s.stripe(c.b.id, key)
	stripe.Lock()
	defer stripe.Unlock()
	c.bound = stripe.bound(c.b.id, key)
	state := c.b.state.Load()
	if j := c.b.journal.Load(); j != nil && j.wants(key) {
		c.journal, c.versioned = j, state.Versioning != object.Unversioned
	}
	if err := build(c, state); err != nil {
		return err
	}
	c.delta[layout.StatLastModified] = c.s.opts.Now().UnixMilli()
	var buf [64]byte
	if err := c.batch.Merge(layout.StatisticsKey(c.b.id), c.delta.AppendTo(buf[:0]), nil); err != nil {
		return err
	}
	if err := c.enqueue(); err != nil {
		return err
	}
	c.b.stat.add(&c.delta)
	stripe.note(c, key)
	return nil
}

// enqueue applies the batch, with the entries of the journal if there are any.
func (c *change) enqueue() error {
	if c.entries != nil {
		return c.journal.queue.apply(c.journal, c)
	}
	if err := c.s.db.ApplyNoSyncWait(c.batch, pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// mayWrite returns object.ErrDiskFull if n more bytes would fill the disk.
func (s *Store) mayWrite(n int64) error {
	if err := s.blobs.CheckSpace(n); err != nil {
		return err
	}
	if s.ballast != nil && !s.ballast.held.Load() {
		s.ballast.hold()
	}
	return nil
}

// put adds or, with the same seq, replaces r.
func (c *change) put(r *layout.Row) error {
	c.added = true
	var keyBuf, valueBuf [512]byte
	key := layout.AppendVersionKey(keyBuf[:0], c.b.id, r.Info.Key, r.Seq)
	return c.batch.Set(key, layout.AppendRow(valueBuf[:0], r), nil)
}

// record adds an entry to the journal if the journal has a reader for it. r is the
// version after the change, or the removed one.
func (c *change) record(t journal.Type, flags layout.ChangeFlags, r *layout.Row) {
	if c.journal == nil {
		return
	}
	if c.versioned {
		flags |= layout.ChangeVersioned
	}
	if c.entries == nil {
		c.entries = entryPool.Get().(*entries)
	}
	c.entries.data = layout.AppendChange(c.entries.data, &layout.Change{Type: byte(t), Flags: flags, By: c.by, Row: r})
	c.entries.ends = append(c.entries.ends, len(c.entries.data))
}

// remove removes r and its content; nil is nothing.
func (c *change) remove(r *layout.Row) error {
	if r == nil {
		return nil
	}
	var keyBuf [512]byte
	c.delta.Count(r, -1)
	return errors.Join(
		c.batch.Delete(layout.AppendVersionKey(keyBuf[:0], c.b.id, r.Info.Key, r.Seq), nil),
		c.release(r.Seq, r.Content),
	)
}

// replace makes r the current version of its key. Unless the bucket is versioned, r becomes the
// null version and replaces the previous one.
func (c *change) replace(r *layout.Row, state *object.Bucket) (err error) {
	if r.Seq, err = c.s.nextSeq(); err != nil {
		return err
	}
	r.Info.LastModified = c.s.now()
	if r.Null = state.Versioning != object.Enabled; r.Null {
		if err := c.removeNull(r.Info.Key, state); err != nil {
			return err
		}
	}
	c.delta.Count(r, 1)
	c.record(journal.Create, layout.ChangeLatest, r)
	return c.put(r)
}

// removeNull removes the null version of a key, if there is one.
func (c *change) removeNull(key string, state *object.Bucket) error {
	if state.Versioning == object.Unversioned { // then it is the only version
		r, err := newest(c.s.db, c.b.id, key)
		return errors.Join(err, c.remove(r))
	}
	r, _, err := findNull(c.s.db, c.b.id, key)
	return errors.Join(err, c.remove(r))
}

// seqLease is the number of sequence numbers reserved at once. A crash loses the unused ones, which
// is harmless with 64 bits.
const seqLease = 1 << 20

// nextSeq returns a new sequence number.
func (s *Store) nextSeq() (uint64, error) { return s.nextSeqs(1) }

// nextSeqs takes n consecutive new sequence numbers and returns the last.
func (s *Store) nextSeqs(n int) (last uint64, err error) {
	last = s.seq.Add(uint64(n))
	return last, s.reserve(last)
}

// reserve makes durable a ceiling that is at least n.
func (s *Store) reserve(n uint64) error {
	if n <= s.ceiling.Load() {
		return nil
	}
	s.lease.Lock()
	defer s.lease.Unlock()
	if n <= s.ceiling.Load() {
		return nil
	}
	ceiling := n + seqLease
	if err := s.db.Set(layout.KeyCeiling, binary.BigEndian.AppendUint64(nil, ceiling), pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	s.ceiling.Store(ceiling)
	return nil
}

func (c *counters) add(d *layout.Delta) {
	c.mu.Lock()
	c.sum.Add(d)
	c.mu.Unlock()
}

// now returns the server's time as the index keeps it: UTC, whole milliseconds.
func (s *Store) now() time.Time { return layout.FromMilli(s.opts.Now().UnixMilli()) }

// reader is the index, now or at an instant.
type reader interface {
	NewIter(*pebble.IterOptions) (*pebble.Iterator, error)
}

// versions calls yield with the versions of a key, newest first, until it
// returns false.
func versions(from reader, bucket uint32, key string, yield func(r *layout.Row, latest bool) bool) error {
	return versionsBelow(from, bucket, key, math.MaxUint64, yield)
}

// versionsBelow does what versions does. No version has a sequence number greater than bound.
func versionsBelow(from reader, bucket uint32, key string, bound uint64, yield func(r *layout.Row, latest bool) bool) error {
	var buf, first [256]byte
	head := layout.AppendKeyHead(buf[:0], bucket, key)
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: head, UpperBound: layout.After(head)})
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	latest := true
	for ok := it.SeekPrefixGE(layout.AppendVersionKey(first[:0], bucket, key, bound)); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		r, err := layout.DecodeRow(it.Key(), value)
		if err != nil {
			return err
		}
		if !yield(&r, latest) {
			return nil
		}
		latest = false
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// newest returns the newest version of a key, nil if there is none.
func newest(from reader, bucket uint32, key string) (found *layout.Row, err error) {
	err = versions(from, bucket, key, func(r *layout.Row, _ bool) bool {
		found = r
		return false
	})
	return found, err
}
