package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// breakJournals notes the buckets whose objects or whose journal lie in a damaged
// range: their objects may be older now than their journal says, or the journal
// lacks changes.
func (r *repairer) breakJournals(damaged []gap) {
	for id := range r.buckets {
		for _, space := range []byte{layout.SpaceVersions, layout.SpaceJournal} {
			head := layout.AppendBucketHead(nil, space, id)
			for _, g := range damaged {
				if bytes.Compare(g.After, layout.After(head)) < 0 && bytes.Compare(g.Before, head) > 0 {
					r.broken[id] = true
				}
			}
		}
	}
}

// journals makes journals consistent after all rows are copied, including those with readable but
// inconsistent entries. It also finds their highest numbers.
func (r *repairer) journals() error {
	heads := map[uint32]*layout.JournalHead{}
	var ids []uint32
	var last uint64 // ordinal of the entry before
	err := r.each(layout.SpaceJournal, func(key, value []byte) error {
		if len(key) < layout.BucketHeadLen {
			return r.to.Delete(bytes.Clone(key), pebble.NoSync)
		}
		id := binary.BigEndian.Uint32(key[1:])
		if len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
		if len(key) == layout.BucketHeadLen { // it is before the entries
			if head, err := layout.DecodeJournalHead(value); err == nil {
				r.seq = max(r.seq, head.Sequence)
				heads[id], last = head, head.Base.Ordinal
			}
			return nil
		}
		seq, ok := layout.ChangeSeq(key)
		if ok {
			r.seq = max(r.seq, seq)
		}
		var c layout.StoredChange
		if err := layout.DecodeChange(value, &c); err != nil || !ok || c.Ordinal != last+1 {
			r.broken[id] = true
		}
		last = c.Ordinal
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.journal(id, heads[id]); err != nil {
			return err
		}
	}
	return nil
}

// journal drops a journal without a head or a bucket, and renumbers the entries of
// one that is broken.
func (r *repairer) journal(id uint32, head *layout.JournalHead) error {
	name, exists := r.buckets[id]
	key := layout.JournalHeadKey(id)
	if head == nil || !exists {
		if exists {
			r.tell(Problem{"journal of bucket " + name, "it is lost: incremental reports of the bucket restart and state a gap"})
		}
		return r.to.DeleteRange(key, layout.After(key), pebble.NoSync)
	}
	if !r.broken[id] {
		return nil
	}
	place := layout.ChangePlace{Time: head.From.Time, Ordinal: head.Base.Ordinal, Bytes: head.Base.Bytes}
	lost, next := uint64(0), place.Ordinal+1
	err := r.entries(id, func(key, value []byte) error {
		seq, ok := layout.ChangeSeq(key)
		var c layout.StoredChange
		if err := layout.DecodeChange(value, &c); err != nil || !ok || seq <= max(head.From.Sequence, head.Base.Sequence) || c.Time < place.Time {
			return r.to.Delete(key, pebble.NoSync)
		}
		if c.Ordinal > next {
			lost += c.Ordinal - next
		}
		next = c.Ordinal + 1
		place = layout.ChangePlace{Time: c.Time, Ordinal: place.Ordinal + 1, Bytes: place.Bytes + uint64(len(key)+len(value))}
		layout.SetPlace(value, place)
		return r.to.Set(key, value, pebble.NoSync)
	})
	if err != nil {
		return err
	}
	// The last lost changes cannot be counted, and the objects with an older state are unknown.
	now := max(time.Now().UnixMilli(), place.Time, head.Floor)
	r.seq++
	gap := layout.JournalGap{First: head.From, Last: stocktake.JournalPosition{Sequence: r.seq, Time: now}, Changes: max(lost, 1)}
	head.Sequence, head.Floor, head.Gaps = r.seq, now, append(head.Gaps, gap)
	value, err := layout.EncodeJournalHead(head)
	if err != nil {
		return err
	}
	r.tell(Problem{"journal of bucket " + name, fmt.Sprintf("it may lack changes, at least %d: the next incremental reports of the bucket state a gap", gap.Changes)})
	return r.to.Set(key, value, pebble.NoSync)
}

// entries calls f with copies of all present entries of a journal.
func (r *repairer) entries(id uint32, f func(key, value []byte) error) error {
	it, err := entrySpace{from: r.to, bucket: id}.iter()
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := f(bytes.Clone(it.Key()), bytes.Clone(it.Value())); err != nil {
			return err
		}
	}
	return it.Error()
}
