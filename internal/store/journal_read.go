package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// An entry is the place of an entry in a journal.
type entry struct {
	seq uint64
	layout.ChangePlace
}

func (e *entry) position() stocktake.JournalPosition {
	return stocktake.JournalPosition{Sequence: e.seq, Time: e.Time}
}

// entryAt returns the entry at the position of the iterator.
func entryAt(it *pebble.Iterator) (*entry, error) {
	seq, ok := layout.ChangeSeq(it.Key())
	if !ok {
		return nil, fmt.Errorf("%w: key %x", layout.ErrMalformed, it.Key())
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	place, err := layout.Place(value)
	return &entry{seq, place}, err
}

// An entrySpace is the entries of a journal in the index, now or at an instant.
type entrySpace struct {
	from   reader
	bucket uint32
	base   uint64 // no entry has this number or a lower one; it spares a search of removed entries
}

// iter returns an iterator of the entries.
func (sp entrySpace) iter() (*pebble.Iterator, error) {
	it, err := sp.from.NewIter(&pebble.IterOptions{
		LowerBound: append(layout.AppendChangeKey(nil, sp.bucket, sp.base), 0), UpperBound: layout.After(layout.JournalHeadKey(sp.bucket)),
	})
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return it, nil
}

// one returns the entry that seek finds, nil if it finds none.
func (sp entrySpace) one(seek func(*pebble.Iterator) bool) (found *entry, err error) {
	it, err := sp.iter()
	if err != nil {
		return nil, err
	}
	if seek(it) {
		found, err = entryAt(it)
	}
	return found, errors.Join(err, it.Error(), it.Close())
}

// first returns the first entry; nil if there is none.
func (sp entrySpace) first() (*entry, error) { return sp.one((*pebble.Iterator).First) }

// after returns the first entry with a greater number than seq.
func (sp entrySpace) after(seq uint64) (*entry, error) {
	return sp.one(func(it *pebble.Iterator) bool {
		return it.SeekGE(append(layout.AppendChangeKey(nil, sp.bucket, seq), 0))
	})
}

// last returns the last entry; nil if there is none.
func (sp entrySpace) last() (*entry, error) { return sp.one((*pebble.Iterator).Last) }

// upTo returns the last entry with a number of at most seq.
func (sp entrySpace) upTo(seq uint64) (*entry, error) {
	return sp.one(func(it *pebble.Iterator) bool {
		return it.SeekLT(append(layout.AppendChangeKey(nil, sp.bucket, seq), 0))
	})
}

// remove removes the entries up to last. Each removal begins where the previous one ended: the cost
// of overlapping ranges in Pebble is quadratic.
func (sp entrySpace) remove(batch *pebble.Batch, head *layout.JournalHead, last *entry) error {
	head.Base = layout.JournalBase{Sequence: last.seq, Ordinal: last.Ordinal, Bytes: last.Bytes}
	return batch.DeleteRange(append(layout.AppendChangeKey(nil, sp.bucket, sp.base), 0), append(layout.AppendChangeKey(nil, sp.bucket, last.seq), 0), nil)
}

// entries returns the entries of a journal. The caller holds j.mu.
func (s *Store) entries(j *bucketJournal) entrySpace {
	return entrySpace{s.db, j.bucket, j.head.Base.Sequence}
}

// search returns the last entry that is before some point; before is true for all
// entries up to it and false for all later ones. The caller holds j.mu. It halves
// the range of numbers, so it takes at most 64 steps, and few where numbers are
// dense.
func (s *Store) search(j *bucketJournal, before func(*entry) bool) (found *entry, err error) {
	it, err := s.entries(j).iter()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.First() {
		return nil, it.Error()
	}
	first, err := entryAt(it)
	if err != nil {
		return nil, err
	}
	low, high := first.seq, j.seq // the entry is at low or later, and at high or earlier
	if !before(first) {
		return nil, nil
	}
	found = first
	for low < high {
		middle := low + (high-low)/2 + 1
		if !it.SeekGE(layout.AppendChangeKey(nil, j.bucket, middle)) {
			if err := it.Error(); err != nil {
				return nil, fmt.Errorf("index: %w", err)
			}
			high = middle - 1
			continue
		}
		e, err := entryAt(it)
		if err != nil {
			return nil, err
		}
		if before(e) {
			found, low = e, e.seq
		} else {
			high = middle - 1
		}
	}
	return found, nil
}

// journalPosition returns the position of a bucket's journal in a snapshot. The changes up to it
// are durable when it returns.
func (s *Store) journalPosition(index *pebble.Snapshot, bucket uint32) (*stocktake.JournalPosition, error) {
	head, err := headIn(index, bucket)
	if err != nil || head == nil {
		return nil, err
	}
	e, err := entrySpace{index, bucket, head.Base.Sequence}.last()
	if err != nil {
		return nil, err
	}
	j := newBucketJournal(bucket, *head)
	j.stand(e)
	if err := s.db.LogData(nil, pebble.Sync); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return &stocktake.JournalPosition{Sequence: j.seq, Time: j.last.Time}, nil
}

// headIn returns the head of a journal as a snapshot has it, nil if it has none.
func headIn(index *pebble.Snapshot, bucket uint32) (*layout.JournalHead, error) {
	value, err := get(index, layout.JournalHeadKey(bucket))
	if err != nil || value == nil {
		return nil, err
	}
	return layout.DecodeJournalHead(value)
}

// Changes implements journal.Journal.
func (js journals) Changes(ctx context.Context, name, prefix string, after, until stocktake.JournalPosition, yield func([]journal.Change) error) (gaps []journal.Gap, err error) {
	b, err := js.s.bucket(name)
	if err != nil {
		return nil, err
	}
	j := b.journal.Load()
	if j == nil {
		return nil, journal.ErrNoReader
	}
	j.mu.Lock()
	index, end := js.s.db.NewSnapshot(), entry{j.seq, j.last}
	j.mu.Unlock()
	defer func() { err = errors.Join(err, index.Close()) }()
	head, err := headIn(index, b.id)
	switch {
	case err != nil:
		return nil, err
	case head == nil: // the last reader was just removed
		return nil, journal.ErrNoReader
	case after.Sequence < head.From.Sequence:
		return nil, fmt.Errorf("%w: after %d of bucket %s", journal.ErrTrimmed, after.Sequence, name)
	}
	r := &journalReader{ctx: ctx, index: index, bucket: b.id, prefix: []byte(prefix), yield: yield, next: head.Base.Ordinal + 1}
	space := entrySpace{index, b.id, head.Base.Sequence}
	before, err := space.upTo(after.Sequence)
	if err != nil {
		return nil, err
	}
	if before != nil {
		r.next = before.Ordinal + 1
	}
	if err := r.read(max(after.Sequence, head.Base.Sequence), until.Sequence); err != nil {
		return nil, err
	}
	// The entries after the range show whether its last ones exist.
	if following, err := space.after(max(until.Sequence, after.Sequence)); err != nil {
		return nil, err
	} else if following != nil {
		end = *following
		end.Ordinal--
	}
	if r.next != end.Ordinal+1 {
		return nil, fmt.Errorf("%w: up to %d of bucket %s", journal.ErrDamaged, until.Sequence, name)
	}
	for _, g := range head.Gaps {
		gap := journal.Gap(g)
		if gap.Overlaps(after, until) {
			gaps = append(gaps, gap)
		}
	}
	return gaps, nil
}

// journalReader decodes entries into changes.
type journalReader struct {
	ctx    context.Context
	index  *pebble.Snapshot
	bucket uint32
	prefix []byte
	yield  func([]journal.Change) error

	next  uint64 // ordinal of the next entry
	batch []journal.Change
	arena []byte // what the batch points to
}

// read reads the entries after one number and up to another. Like a scan it allocates nothing per
// entry, and takes a new iterator from time to time.
func (r *journalReader) read(after, until uint64) error {
	r.batch, r.arena = make([]journal.Change, 0, batchRecords), make([]byte, 0, arenaSize)
	upper := append(layout.AppendChangeKey(nil, r.bucket, until), 0)
	lower := append(layout.AppendChangeKey(nil, r.bucket, after), 0)
	for lower != nil && bytes.Compare(lower, upper) < 0 {
		it, err := r.index.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		lower, err = r.stretch(it)
		if closeErr := it.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("index: %w", closeErr)
		}
		if err != nil {
			return err
		}
	}
	return r.flush()
}

// stretch continues reading with it. If entries are left, it returns the key to continue from.
func (r *journalReader) stretch(it *pebble.Iterator) (next []byte, err error) {
	rows := 0
	for ok := it.First(); ok; ok = it.Next() {
		if rows++; rows > scanStretch {
			return bytes.Clone(it.Key()), nil
		}
		if rows%batchRecords == 0 && r.ctx.Err() != nil {
			return nil, r.ctx.Err()
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		if err := r.add(it.Key(), value); err != nil {
			return nil, err
		}
	}
	if err := it.Error(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return nil, nil
}

// add appends the change of an entry to the batch, if its key has the prefix.
func (r *journalReader) add(key, value []byte) error {
	seq, ok := layout.ChangeSeq(key)
	if !ok {
		return fmt.Errorf("%w: key %x", layout.ErrMalformed, key)
	}
	place, err := layout.Place(value)
	if err != nil {
		return err
	}
	if place.Ordinal != r.next {
		return fmt.Errorf("%w: before %d", journal.ErrDamaged, seq)
	}
	r.next++
	if !bytes.HasPrefix(layout.ChangedKey(value), r.prefix) {
		return nil
	}
	const idLen = 32 // more than a version id has
	if len(r.batch) == cap(r.batch) || cap(r.arena)-len(r.arena) < len(value)+idLen {
		if err := r.flush(); err != nil {
			return err
		}
	}
	start := len(r.arena)
	r.arena = append(r.arena, value...)
	var e layout.StoredChange
	if err := layout.DecodeChange(r.arena[start:len(r.arena):len(r.arena)], &e); err != nil {
		return err
	}
	r.batch = append(r.batch, journal.Change{
		Sequence: seq, Time: e.Time, Type: journal.Type(e.Type),
		Permanent: e.Flags&layout.ChangePermanent != 0, Revealed: e.Flags&layout.ChangeRevealed != 0,
		Requester: e.Requester, RequestID: e.Request, SourceIP: e.Address, Record: e.Record,
	})
	rec := &r.batch[len(r.batch)-1].Record
	switch {
	case e.Flags&layout.ChangeVersioned == 0:
	case e.Null:
		rec.VersionID = nullVersion
	default:
		start := len(r.arena)
		r.arena = layout.AppendVersionID(r.arena, e.Version)
		rec.VersionID = r.arena[start:len(r.arena):len(r.arena)]
	}
	return nil
}

// flush hands the batch on, if there is one.
func (r *journalReader) flush() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if len(r.batch) == 0 {
		return nil
	}
	err := r.yield(r.batch)
	r.batch, r.arena = r.batch[:0], r.arena[:0]
	return err
}
