package store

import (
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// groupBytes bounds the size of changes that are committed together. A larger change is committed
// alone.
const groupBytes = 256 << 10

// A commitQueue puts the changes of a journal in order.
//
// The index orders commits when a batch enters its queue, inside ApplyNoSyncWait; the order of the
// calls and of their returns may differ. So one change commits at a time: the leader. It commits
// itself and the changes that wait behind it in one batch, so each of them waits for only one
// commit. Then it passes on the lead.
type commitQueue struct {
	mu          sync.Mutex
	led         bool    // there is a leader
	first, last *change // that wait, linked by change.next
}

// A queued is the state of a change in a commitQueue.
type queued struct {
	next *change        // behind it in the queue, or in the group
	turn sync.WaitGroup // until it is the leader, or done

	leader *change // that has committed it; itself if it is the leader
	err    error   // of the commit

	group   *pebble.Batch  // in which it has also committed others; nil: none
	synced  sync.WaitGroup // until a leader of others is durable
	syncErr error          // then
}

// apply commits c, alone or together with others. When it returns nil, c is visible, and durable
// once [change.sync] has returned nil. An error is that of the index. It fails all changes of the
// group.
func (q *commitQueue) apply(j *bucketJournal, c *change) error {
	q.mu.Lock()
	if !q.led {
		q.led = true
		c.leader = c
	} else {
		c.turn.Add(1)
		if q.first == nil {
			q.first = c
		} else {
			q.last.next = c
		}
		q.last = c
		q.mu.Unlock()
		c.turn.Wait()
		if c.leader != c {
			return c.err
		}
		q.mu.Lock()
	}
	q.take(c)
	q.mu.Unlock()

	c.err = j.commit(c)
	if c.group != nil {
		c.synced.Add(1)
	}
	q.pass()
	for member := c.next; member != nil; {
		next := member.next // it must not be read once the member is notified
		member.leader, member.err = c, c.err
		member.turn.Done()
		member = next
	}
	return c.err
}

// take makes the waiting changes the group of c, as far as the bounds allow. The
// caller holds q.mu.
func (q *commitQueue) take(c *change) {
	end, size := c, c.batch.Len()
	for next := q.first; next != nil; next = next.next {
		if size += next.batch.Len(); size > groupBytes {
			break
		}
		end = next
	}
	if end == c {
		c.next = nil
		return
	}
	c.next, q.first = q.first, end.next
	end.next = nil
}

// pass makes the first waiting change the leader.
func (q *commitQueue) pass() {
	q.mu.Lock()
	next := q.first
	if next == nil {
		q.led = false
	} else {
		q.first, next.next = next.next, nil
		next.leader = next
	}
	q.mu.Unlock()
	if next != nil {
		next.turn.Done()
	}
}

// sync waits until c is durable.
func (c *change) sync() error {
	if c.leader != nil && c.leader != c {
		c.leader.synced.Wait()
		return c.leader.syncErr
	}
	if c.group == nil {
		return c.s.syncWait(c.batch)
	}
	c.syncErr = c.s.syncWait(c.group)
	if c.syncErr == nil {
		c.group.Reset()
		c.s.groups.Put(c.group)
	}
	c.synced.Done()
	return c.syncErr
}

// commit completes the entries of a leader and its group, and applies them as one batch. Sequences
// and times are chosen with j.mu held, and j.mu is held until the batch is in the queue of the
// index, so the commits of this journal have the order of its sequences. The log of the index has
// the same order, so a crash loses only the last changes and leaves no gap. The fsync, which many
// share, is awaited without the lock.
func (j *bucketJournal) commit(leader *change) error {
	n := 0
	for c := leader; c != nil; c = c.next {
		n += len(c.entries.ends)
	}
	s, batch := leader.s, leader.batch
	if leader.next != nil { // batches of groups are large; those of single changes, one per client, stay small
		if batch, _ = s.groups.Get().(*pebble.Batch); batch == nil {
			batch = s.db.NewBatch()
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.last
	last.Time = max(last.Time, s.opts.Now().UnixMilli()) // if the clock went back, the time stays the same
	end, err := s.nextSeqs(n)
	if err != nil {
		return err
	}
	seq := end - uint64(n)
	var buf [layout.ChangeKeyLen]byte
	for c := leader; c != nil; c = c.next {
		if c.batch != batch {
			if err := batch.Apply(c.batch, nil); err != nil {
				return fmt.Errorf("index: %w", err)
			}
		}
		for entry := range c.entries.each {
			seq++
			last.Ordinal++
			last.Bytes += uint64(layout.ChangeKeyLen + len(entry))
			layout.SetPlace(entry, last)
			if err := batch.Set(layout.AppendChangeKey(buf[:0], j.bucket, seq), entry, nil); err != nil {
				return fmt.Errorf("index: %w", err)
			}
		}
	}
	if err := s.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if batch != leader.batch {
		leader.group = batch
	}
	j.last, j.seq = last, end
	leader.crowded = j.warned || j.kept() > warnAt(s.journalLimit())
	return nil
}
