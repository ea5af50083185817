package store

import (
	"bytes"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// Settle waits until what the last process left behind is removed.
func (s *Store) Settle() { s.sweeping.Wait() }

// Flush writes the changes that are only in logs to tables.
func Flush(s *Store) error { return s.db.Flush() }

// Damage removes the first entry of a space of the index, or adds one that
// nothing names.
func Damage(t testing.TB, s *Store, space byte, value []byte) {
	t.Helper()
	if value != nil {
		if err := s.db.Set(layout.IDKey(space, 1<<60), value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		return
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if !it.First() {
		t.Fatalf("nothing in space %c", space)
	}
	if err := s.db.Delete(it.Key(), pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

// BreakVersion cuts off the row of a version.
func BreakVersion(t testing.TB, s *Store, v object.Version) {
	t.Helper()
	b, err := s.bucket(v.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	seq, _ := layout.ParseVersionID(v.ID)
	if err := s.db.Set(layout.AppendVersionKey(nil, b.id, v.Key, seq), []byte{1}, pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

// DropChange removes the n-th entry, from 0, of the journals.
func DropChange(t testing.TB, s *Store, n int) {
	t.Helper()
	if err := s.db.Delete(changeKey(t, s, n), pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

// BreakChange cuts off the value of the n-th entry, from 0, of the journals.
func BreakChange(t testing.TB, s *Store, n int) {
	t.Helper()
	key := changeKey(t, s, n)
	value, err := s.get(key)
	if err == nil {
		err = s.db.Set(key, value[:len(value)-1], pebble.Sync)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func changeKey(t testing.TB, s *Store, n int) []byte {
	t.Helper()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{layout.SpaceJournal}, UpperBound: []byte{layout.SpaceJournal + 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if _, entry := layout.ChangeSeq(it.Key()); !entry {
			continue
		}
		if n--; n < 0 {
			return bytes.Clone(it.Key())
		}
	}
	t.Fatal("no such entry")
	return nil
}

// Waiting returns how many changes wait in the queue of the journal of a bucket.
func Waiting(t testing.TB, s *Store, bucket string) (n int) {
	t.Helper()
	b, err := s.bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	q := &b.journal.Load().queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for c := q.first; c != nil; c = c.next {
		n++
	}
	return n
}

// OnFatal makes a store call f where the process would end.
func OnFatal(o *Options, f func(error)) { o.fatal = f }

// Stripe returns what is locked while a key changes.
func Stripe(t testing.TB, s *Store, bucket, key string) any {
	t.Helper()
	b, err := s.bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	return s.stripe(b.id, key)
}
