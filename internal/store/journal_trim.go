package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// Cut implements journal.Journal.
func (js journals) Cut(_ context.Context, name string, at int64) (cut stocktake.JournalPosition, err error) {
	if err := js.s.mayDelete(); err != nil {
		return cut, err
	}
	b, err := js.s.bucket(name)
	if err != nil {
		return cut, err
	}
	// The batch is synced even if the head does not change, which makes the earlier changes
	// durable.
	err = js.s.updateHead(b, func(j *bucketJournal, _ *pebble.Batch, head *layout.JournalHead) error {
		if cut, err = js.s.cut(j, at); err != nil {
			return err
		}
		head.Floor = max(head.Floor, at)
		return nil
	})
	return cut, err
}

// cut finds the position after the last change before at. The caller holds j.mu.
func (s *Store) cut(j *bucketJournal, at int64) (stocktake.JournalPosition, error) {
	p := stocktake.JournalPosition{Sequence: j.seq, Time: at}
	if at < j.head.From.Time {
		return p, journal.ErrTrimmed
	}
	if j.last.Time < at {
		return p, nil
	}
	e, err := s.search(j, func(e *entry) bool { return e.Time < at })
	if err != nil {
		return p, err
	}
	before := uint64(0)
	if e != nil {
		before = e.seq
	}
	next, err := s.entries(j).after(before)
	if err != nil {
		return p, err
	}
	// All numbers up to the next change divide the changes in the same way. The greatest of them is
	// at or after every reader's position.
	if next != nil {
		p.Sequence = next.seq - 1
	}
	for _, g := range j.head.Gaps {
		if g.First.Time < at && at <= g.Last.Time { // it belongs to both windows
			p.Sequence = min(p.Sequence, max(before, g.First.Sequence))
		}
	}
	return p, nil
}

// Published implements journal.Journal.
func (js journals) Published(_ context.Context, name, id string, until stocktake.JournalPosition) error {
	if err := js.s.mayDelete(); err != nil {
		return err
	}
	b, err := js.s.bucket(name)
	if err != nil {
		return err
	}
	return js.s.updateHead(b, func(j *bucketJournal, batch *pebble.Batch, head *layout.JournalHead) error {
		i := findReader(head, id)
		if i < 0 {
			return journal.ErrNoReader
		}
		if until.Sequence < head.Readers[i].At.Sequence || until.Sequence == head.Readers[i].At.Sequence && until.Time <= head.Readers[i].At.Time {
			return nil
		}
		// Never trim future changes, even if the caller passes a later position.
		until.Sequence, until.Time = min(until.Sequence, j.seq), min(until.Time, j.last.Time)
		head.Readers = slices.Clone(head.Readers)
		head.Readers[i].At = until
		return js.s.trim(batch, j.bucket, head)
	})
}

// updateHead commits and syncs a batch that update fills and the head that it
// changes. Values that the head points to must be replaced, not modified.
func (s *Store) updateHead(b *bucket, update func(*bucketJournal, *pebble.Batch, *layout.JournalHead) error) error {
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := s.applyHead(b, batch, update); err != nil {
		return err
	}
	return s.syncWait(batch)
}

// applyHead makes the result of update visible, and queues it for the log.
func (s *Store) applyHead(b *bucket, batch *pebble.Batch, update func(*bucketJournal, *pebble.Batch, *layout.JournalHead) error) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.gone {
		return stocktake.ErrNoSuchBucket
	}
	j := b.journal.Load()
	if j == nil {
		return journal.ErrNoReader
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	head := j.head
	head.Sequence = j.seq
	if err := errors.Join(update(j, batch, &head), setHead(batch, j.bucket, &head)); err != nil {
		return err
	}
	if err := s.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	j.head = head
	j.last.Time = max(j.last.Time, head.Floor)
	return nil
}

// trim removes the entries and gaps that all readers of head are past.
func (s *Store) trim(batch *pebble.Batch, bucket uint32, head *layout.JournalHead) error {
	from := least(head.Readers)
	space := entrySpace{s.db, bucket, head.Base.Sequence}
	e, err := space.upTo(from.Sequence)
	if err != nil {
		return err
	}
	if e != nil {
		head.From.Sequence = e.seq
		if err := space.remove(batch, head, e); err != nil {
			return err
		}
	}
	head.From.Time = max(head.From.Time, from.Time)
	head.Floor = max(head.Floor, from.Time)
	head.Gaps = slices.DeleteFunc(slices.Clone(head.Gaps), func(g layout.JournalGap) bool {
		past := g.Last.Sequence <= from.Sequence
		if past {
			head.From.Sequence = max(head.From.Sequence, g.Last.Sequence)
		}
		return past
	})
	return nil
}

// warnAt returns the size above which a warning is due.
func warnAt(limit int64) int64 { return limit - limit/4 }

// boundJournal drops the oldest entries of a journal that exceeds its bound. An error is only
// logged: the change that exceeded the bound is committed, and the next one tries again.
func (s *Store) boundJournal(b *bucket, j *bucketJournal) {
	limit := s.journalLimit()
	j.mu.Lock()
	bytes := j.kept()
	warn := bytes > warnAt(limit) && !j.warned
	j.warned = j.warned && bytes > limit/2 || warn
	drop := bytes > limit && !j.dropping
	j.dropping = j.dropping || drop
	j.mu.Unlock()
	name := b.state.Load().Name
	if warn {
		s.opts.Log.Warn("store: the journal of a bucket is filling up because its incremental reports are not published; at the limit its oldest changes are dropped",
			"bucket", name, "bytes", bytes, "limit", limit)
	}
	if !drop {
		return
	}
	lost, err := s.dropOldest(b, limit-limit/8)
	j.mu.Lock()
	j.dropping = false
	j.mu.Unlock()
	switch {
	case err != nil && !errors.Is(err, stocktake.ErrNoSuchBucket) && !errors.Is(err, journal.ErrNoReader):
		s.opts.Log.Error("store: the journal of a bucket is over its limit and cannot be trimmed", "bucket", name, "bytes", bytes, "limit", limit, "err", err)
	case lost > 0:
		s.opts.Log.Error("store: dropped unpublished changes of a bucket because its journal was full; its incremental reports state the gap",
			"bucket", name, "changes", lost, "limit", limit)
	}
}

// dropOldest drops the oldest entries until at most size bytes are left, and
// records the gaps. It returns how many it dropped.
func (s *Store) dropOldest(b *bucket, size int64) (lost uint64, err error) {
	err = s.updateHead(b, func(j *bucketJournal, batch *pebble.Batch, head *layout.JournalHead) error {
		if j.kept() <= size {
			return nil
		}
		above := j.last.Bytes - uint64(size)
		first, err := s.entries(j).first()
		if err != nil || first == nil {
			return err
		}
		last, err := s.search(j, func(e *entry) bool { return e.Bytes <= above || e.seq == first.seq })
		if err != nil || last == nil {
			return err
		}
		lost = last.Ordinal - head.Base.Ordinal
		if head.Gaps, err = s.gaps(j, first, last); err != nil {
			return err
		}
		return s.entries(j).remove(batch, head, last)
	})
	if err != nil {
		return 0, err
	}
	return lost, nil
}

// gaps returns the gaps of a journal that loses its first entries up to last. No gap extends past a
// reader, so that each reader knows its losses. A gap grows unless a reader is in between, so there
// are at most as many gaps as readers.
func (s *Store) gaps(j *bucketJournal, first, last *entry) ([]layout.JournalGap, error) {
	gaps := slices.Clone(j.head.Gaps)
	var ends []uint64
	for _, r := range j.head.Readers {
		if r.At.Sequence >= first.seq && r.At.Sequence < last.seq {
			ends = append(ends, r.At.Sequence)
		}
	}
	slices.Sort(ends)
	before := j.head.Base.Ordinal
	for _, end := range append(slices.Compact(ends), last.seq) {
		upto, err := s.entries(j).upTo(end)
		if err != nil {
			return nil, err
		}
		if upto == nil || upto.Ordinal == before { // no change lies between two readers
			continue
		}
		g := layout.JournalGap{First: first.position(), Last: upto.position(), Changes: upto.Ordinal - before}
		before = upto.Ordinal
		if n := len(gaps); n > 0 && !slices.ContainsFunc(j.head.Readers, func(r layout.JournalReader) bool {
			return r.At.Sequence >= gaps[n-1].Last.Sequence && r.At.Sequence < g.First.Sequence
		}) {
			gaps[n-1].Changes += g.Changes
			if g.Last.Sequence > gaps[n-1].Last.Sequence { // a gap that a repair has stated may reach further
				gaps[n-1].Last = g.Last
			}
		} else {
			gaps = append(gaps, g)
		}
		if first, err = s.entries(j).after(upto.seq); err != nil || first == nil {
			return gaps, err
		}
	}
	return gaps, nil
}
