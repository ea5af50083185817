package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// latestIf returns the flag of a change of the newest version of a key.
func latestIf(latest bool) layout.ChangeFlags {
	if latest {
		return layout.ChangeLatest
	}
	return 0
}

// reveal records that an older version of a key is the newest again, since the
// removed ones, which were the newest, are going. Reports of current versions
// need it. A delete marker that is revealed shows nothing.
func (c *change) reveal(key string, removed ...*layout.Row) error {
	if c.journal == nil || !c.versioned {
		return nil
	}
	return versions(c.s.db, c.b.id, key, func(r *layout.Row, _ bool) bool {
		for _, gone := range removed {
			if gone.Seq == r.Seq {
				return true
			}
		}
		if !r.Info.IsDeleteMarker {
			c.record(journal.Create, layout.ChangeRevealed|layout.ChangeLatest, r)
		}
		return false
	})
}

// apply completes the entries of c and applies its batch.
//
// The index decides the order of commits when a batch enters its queue, inside
// ApplyNoSyncWait, and neither the order of calls nor that of their returns
// follows from it. So sequences and times are chosen with j.mu held, and it is
// held until the batch is in the queue: the changes of this bucket enter it in the
// order of their sequences. The log of the index has them in that order, too, so
// a crash cuts off the last ones and leaves no hole. The fsync, which many
// changes share, is awaited without the lock.
func (j *bucketJournal) apply(c *change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	last, seq := j.last, j.seq
	last.Time = max(last.Time, c.s.opts.Now().UnixMilli()) // a clock that is behind stands still here
	var buf [layout.ChangeKeyLen]byte
	for _, entry := range c.entries {
		var err error
		if seq, err = c.s.nextSeq(); err != nil {
			return err
		}
		last.Ordinal++
		last.Bytes += uint64(layout.ChangeKeyLen + len(entry))
		layout.SetPlace(entry, last)
		if err := c.batch.Set(layout.AppendChangeKey(buf[:0], j.bucket, seq), entry, nil); err != nil {
			return err
		}
	}
	if err := c.s.db.ApplyNoSyncWait(c.batch, pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	j.last, j.seq = last, seq
	c.crowded = j.warned || j.kept() > warnAt(c.s.journalLimit())
	return nil
}
