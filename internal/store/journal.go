package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// Journal returns the journals of all buckets.
func (s *Store) Journal() journal.Journal { return journals{s} }

type journals struct{ s *Store }

// A bucketJournal is the memory of the journal of a bucket. It exists while the
// journal has readers.
type bucketJournal struct {
	bucket   uint32
	prefixes []string // of the readers, without those that begin with another one; immutable

	queue commitQueue

	// mu is held from the choice of a sequence number and a time until the batch is queued for the
	// log of the index, and while the head is replaced.
	mu   sync.Mutex
	head layout.JournalHead // as in the index; what it points to never changes
	last layout.ChangePlace // of the last change; its time is not before head.Floor
	seq  uint64             // at least every number so far, and less than every later one

	warned   bool // about its size, which is close to the bound
	dropping bool // a goroutine is dropping its oldest entries
}

// wants reports whether a reader needs the changes of a key.
func (j *bucketJournal) wants(key string) bool {
	for _, p := range j.prefixes {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

// kept returns the bytes of the entries in the index. The caller holds j.mu.
func (j *bucketJournal) kept() int64 { return int64(j.last.Bytes - j.head.Base.Bytes) }

// lost returns how many changes are in gaps. The caller holds j.mu.
func (j *bucketJournal) lost() (n uint64) {
	for _, g := range j.head.Gaps {
		n += g.Changes
	}
	return n
}

// loadJournal reads the position of a bucket's journal, if it has one.
func (s *Store) loadJournal(b *bucket) error {
	value, err := s.get(layout.JournalHeadKey(b.id))
	if err != nil || value == nil {
		return err
	}
	head, err := layout.DecodeJournalHead(value)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", b.state.Load().Name, err)
	}
	j := newBucketJournal(b.id, *head)
	e, err := s.entries(j).last()
	if err != nil {
		return fmt.Errorf("bucket %s: journal: %w", b.state.Load().Name, err)
	}
	j.stand(e)
	s.setJournal(b, j)
	return nil
}

// stand makes e the last entry of j, unless e is nil.
func (j *bucketJournal) stand(e *entry) {
	if e != nil {
		floor := j.last.Time
		j.seq, j.last = max(j.seq, e.seq), e.ChangePlace
		j.last.Time = max(e.Time, floor)
	}
}

// newBucketJournal returns the memory of a journal without entries.
func newBucketJournal(bucket uint32, head layout.JournalHead) *bucketJournal {
	j := &bucketJournal{bucket: bucket, head: head, seq: head.Sequence}
	j.last = layout.ChangePlace{Time: head.Floor, Ordinal: head.Base.Ordinal, Bytes: head.Base.Bytes}
	for _, r := range head.Readers {
		j.prefixes = append(j.prefixes, string(r.Prefix))
	}
	slices.Sort(j.prefixes)
	j.prefixes = slices.CompactFunc(j.prefixes, func(a, b string) bool { return strings.HasPrefix(b, a) })
	return j
}

// setJournal makes j the journal of b. The caller holds b.mu for writing, or is the
// only user of b.
func (s *Store) setJournal(b *bucket, j *bucketJournal) {
	old := b.journal.Swap(j)
	switch {
	case old == nil && j != nil:
		s.journals.Add(1)
	case old != nil && j == nil:
		s.journals.Add(-1)
	}
}

// removeJournal removes the whole journal of b.
func (s *Store) removeJournal(batch *pebble.Batch, b *bucket) error {
	if b.journal.Load() == nil {
		return nil
	}
	head := layout.JournalHeadKey(b.id)
	return batch.DeleteRange(head, layout.After(head), nil)
}

// Subscribe implements journal.Journal.
func (js journals) Subscribe(ctx context.Context, name, id, prefix string) (at stocktake.JournalPosition, err error) {
	s := js.s
	// Readers subscribe again before each window, even while the disk is full or others write.
	readers, err := js.Readers(ctx, name)
	if err != nil {
		return at, err
	}
	for _, r := range readers {
		if r.ID == id && r.Prefix == prefix {
			return r.At, nil
		}
	}
	if err := s.mayWrite(0); err != nil {
		return at, err
	}
	err = js.rewrite(name, func(b *bucket, j *bucketJournal) (*bucketJournal, error) {
		if j != nil {
			if i := findReader(&j.head, id); i >= 0 && string(j.head.Readers[i].Prefix) == prefix {
				at = j.head.Readers[i].At
				return j, nil
			}
		}
		// It is greater than the numbers of all changes so far.
		at.Sequence, err = s.nextSeq()
		if err != nil {
			return nil, err
		}
		at.Time = s.opts.Now().UnixMilli()
		if j == nil {
			j = newBucketJournal(b.id, layout.JournalHead{From: at})
		}
		at.Time = max(at.Time, j.last.Time)
		head := j.head
		head.Sequence, head.Floor = at.Sequence, at.Time
		head.Readers = slices.DeleteFunc(slices.Clone(head.Readers), func(r layout.JournalReader) bool { return r.ID == id })
		head.Readers = append(head.Readers, layout.JournalReader{ID: id, Prefix: []byte(prefix), At: at})
		slices.SortFunc(head.Readers, func(a, b layout.JournalReader) int { return strings.Compare(a.ID, b.ID) })
		next := newBucketJournal(b.id, head)
		next.last = j.last
		next.last.Time = at.Time
		return next, nil
	})
	return at, err
}

// Unsubscribe implements journal.Journal.
func (js journals) Unsubscribe(_ context.Context, name, id string) error {
	if err := js.s.mayDelete(); err != nil {
		return err
	}
	return js.rewrite(name, func(b *bucket, j *bucketJournal) (*bucketJournal, error) {
		if j == nil || findReader(&j.head, id) < 0 {
			return nil, journal.ErrNoReader
		}
		head := j.head
		head.Readers = slices.DeleteFunc(slices.Clone(head.Readers), func(r layout.JournalReader) bool { return r.ID == id })
		if len(head.Readers) == 0 {
			return nil, nil
		}
		head.Sequence = j.seq
		next := newBucketJournal(b.id, head)
		next.last = j.last
		return next, nil
	})
}

// rewrite replaces the journal of a bucket, nil if it has none, by the result of change, while no
// change of the bucket is in progress.
func (js journals) rewrite(name string, change func(*bucket, *bucketJournal) (*bucketJournal, error)) error {
	s := js.s
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return stocktake.ErrNoSuchBucket
	}
	old := b.journal.Load()
	if old != nil { // Cut and trim do not take b.mu
		old.mu.Lock()
		defer old.mu.Unlock()
	}
	next, err := change(b, old)
	if err != nil || next == old {
		return err
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	if next == nil {
		err = s.removeJournal(batch, b)
	} else {
		err = errors.Join(s.trim(batch, next.bucket, &next.head), setHead(batch, next.bucket, &next.head))
	}
	if err != nil {
		return err
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	s.setJournal(b, next)
	return nil
}

// setHead puts the head of a journal into the batch.
func setHead(batch *pebble.Batch, bucket uint32, head *layout.JournalHead) error {
	value, err := layout.EncodeJournalHead(head)
	if err != nil {
		return err
	}
	return batch.Set(layout.JournalHeadKey(bucket), value, nil)
}

// findReader returns the index of a reader in head, -1 if it has no such reader.
func findReader(head *layout.JournalHead, id string) int {
	return slices.IndexFunc(head.Readers, func(r layout.JournalReader) bool { return r.ID == id })
}

// Readers implements journal.Journal.
func (js journals) Readers(_ context.Context, name string) (list []journal.Reader, err error) {
	b, err := js.s.bucket(name)
	if err != nil {
		return nil, err
	}
	j := b.journal.Load()
	if j == nil {
		return nil, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.head.Readers {
		list = append(list, journal.Reader{ID: r.ID, Prefix: string(r.Prefix), At: r.At})
	}
	return list, nil
}

// Stat implements journal.Journal.
func (js journals) Stat(_ context.Context, name string) (stat journal.Stat, err error) {
	b, err := js.s.bucket(name)
	if err != nil {
		return stat, err
	}
	stat.Limit = js.s.journalLimit()
	j := b.journal.Load()
	if j == nil {
		return stat, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	stat.Readers, stat.Bytes = len(j.head.Readers), j.kept()
	stat.Changes, stat.Lost = j.last.Ordinal-j.head.Base.Ordinal, j.lost()
	if stat.Changes > 0 {
		first, err := js.s.entries(j).first()
		if err != nil {
			return stat, err
		}
		if first != nil {
			stat.Oldest = time.UnixMilli(first.Time).UTC()
		}
	}
	return stat, nil
}

// journalLimit returns the bound of each journal in bytes.
func (s *Store) journalLimit() int64 {
	limit := s.opts.JournalBytes
	if n := s.journals.Load(); s.journalShare > 0 && n > 0 {
		limit = min(limit, s.journalShare/n)
	}
	return max(limit, 1)
}

// least returns the position that all readers have passed, by sequence and by time:
// of two positions between the same changes, the one with the greater number may
// have the earlier time.
func least(readers []layout.JournalReader) stocktake.JournalPosition {
	p := readers[0].At
	for _, r := range readers {
		p.Sequence, p.Time = min(p.Sequence, r.At.Sequence), min(p.Time, r.At.Time)
	}
	return p
}
