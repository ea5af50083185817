package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// A blob file that no row names has one of two records, so that a start need not search all rows or
// all files:
//
//	I | id   it is being added: made durable before the file gets its name,
//	         removed by the commit that names it in a row
//	R | id   it is being removed: made by the commit that removes the row,
//	         removed once the file is durably gone
//
// The next process sweeps the records that a killed process has left.

const (
	reapCount = 512         // files removed before their folders are synced
	reapDelay = time.Second // or this long after the first removal
)

// reaper removes files at once and their records later, many at a time, because the folder has to
// be synced before a record is removed.
type reaper struct {
	mu      sync.Mutex
	pending []reaped
	timer   *time.Timer // the last one started
	closed  bool
	running sync.WaitGroup
	held    bool     // a backup is in progress: no file is removed
	waiting []reaped // since the backup began
}

// hold defers all removals until [Store.releaseReaper].
func (r *reaper) hold() {
	r.mu.Lock()
	r.held = true
	r.mu.Unlock()
}

// releaseReaper carries out the deferred removals.
func (s *Store) releaseReaper() {
	s.reaper.mu.Lock()
	waiting := s.reaper.waiting
	s.reaper.held, s.reaper.waiting = false, nil
	s.reaper.mu.Unlock()
	for _, w := range waiting {
		s.reap(w.space, w.id)
	}
}

// defers takes over the removal of a file if removals are held.
func (r *reaper) defers(space byte, id uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		r.waiting = append(r.waiting, reaped{space, id})
	}
	return r.held
}

type reaped struct {
	space byte
	id    uint64
}

// reap removes the files of blobs that have a record in space. The next start retries failed
// removals.
func (s *Store) reap(space byte, ids ...uint64) {
	for _, id := range ids {
		if s.reaper.defers(space, id) {
			continue
		}
		if err := s.blobs.Remove(id); err != nil {
			s.opts.Log.Error("store: cannot remove a blob; the next start tries again", "blob", id, "err", err)
			continue
		}
		s.reaper.mu.Lock()
		s.reaper.pending = append(s.reaper.pending, reaped{space, id})
		var full []reaped
		switch n := len(s.reaper.pending); {
		case n >= reapCount:
			full, s.reaper.pending = s.reaper.pending, nil
			s.stopReapTimer()
		case n == 1 && !s.reaper.closed:
			s.reaper.running.Add(1)
			s.reaper.timer = time.AfterFunc(reapDelay, func() {
				defer s.reaper.running.Done()
				s.reapPending()
			})
		}
		s.reaper.mu.Unlock()
		s.forget(full)
	}
}

func (s *Store) reapPending() {
	s.reaper.mu.Lock()
	pending := s.reaper.pending
	s.reaper.pending = nil
	s.reaper.mu.Unlock()
	s.forget(pending)
}

func (s *Store) stopReapTimer() {
	if t := s.reaper.timer; t != nil && t.Stop() {
		s.reaper.running.Done()
	}
}

// closeReaper finishes the pending removals.
func (s *Store) closeReaper() {
	s.reaper.mu.Lock()
	s.reaper.closed = true
	s.stopReapTimer()
	s.reaper.mu.Unlock()
	s.reaper.running.Wait()
	s.reapPending()
}

// forget removes the records of removed files.
func (s *Store) forget(gone []reaped) {
	if err := s.forgetRecords(gone); err != nil {
		s.opts.Log.Error("store: records of removed blobs remain; the next start tries again", "blobs", len(gone), "err", err)
	}
}

func (s *Store) forgetRecords(gone []reaped) error {
	if len(gone) == 0 {
		return nil
	}
	ids := make([]uint64, len(gone))
	for i := range gone {
		ids[i] = gone[i].id
	}
	if err := s.blobs.SyncFolders(ids); err != nil {
		return err
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	for _, g := range gone {
		if err := batch.Delete(layout.IDKey(g.space, g.id), nil); err != nil {
			return err
		}
	}
	// if it is lost, the next start finds the files already removed
	return batch.Commit(pebble.NoSync)
}

// startSweep removes the files of all present records. Ids are never used twice, so writes need not
// wait for it.
func (s *Store) startSweep(ctx context.Context) {
	ctx, s.stopSweep = context.WithCancel(context.WithoutCancel(ctx))
	leftovers := s.db.NewSnapshot()
	s.sweeping.Go(func() {
		defer leftovers.Close()
		for _, space := range []byte{layout.SpaceIntents, layout.SpaceRemovals} {
			if err := s.sweep(ctx, leftovers, space); err != nil {
				s.opts.Log.Error("store: cannot remove unreferenced blobs; the next start tries again", "err", err)
			}
		}
	})
}

func (s *Store) sweep(ctx context.Context, leftovers *pebble.Snapshot, space byte) error {
	it, err := leftovers.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	n := 0
	for ok := it.First(); ok && ctx.Err() == nil; ok = it.Next() {
		if len(it.Key()) != 9 {
			return fmt.Errorf("%w: key %x", layout.ErrMalformed, it.Key())
		}
		s.reap(space, binary.BigEndian.Uint64(it.Key()[1:]))
		n++
	}
	if n > 0 {
		s.opts.Log.Info("store: removed blobs of an interrupted process", "blobs", n)
	}
	return it.Error()
}

// A removal lists the files of a version.
type removal struct {
	seq   uint64
	files []uint64
}

// release removes content of version seq that no row names.
func (c *change) release(seq uint64, old layout.Content) error {
	pieces := []layout.Piece{{Content: old}}
	if old.Kind == layout.ContentMap {
		var err error
		if pieces, err = getPieces(c.s.db, old.ID); err != nil {
			return fmt.Errorf("map %x: %w", old.ID, err)
		}
		if err := c.batch.Delete(layout.IDKey(layout.SpaceMaps, old.ID), nil); err != nil {
			return err
		}
	}
	return c.releasePieces(seq, pieces)
}

func (c *change) releasePieces(seq uint64, pieces []layout.Piece) error {
	var files []uint64
	for _, p := range pieces {
		var err error
		switch p.Kind {
		case layout.ContentInline:
			err = c.batch.Delete(layout.IDKey(layout.SpaceData, p.ID), nil)
		case layout.ContentFile, layout.ContentBare:
			files = append(files, p.ID)
			err = c.batch.Set(layout.IDKey(layout.SpaceRemovals, p.ID), nil, nil)
		}
		if err != nil {
			return err
		}
	}
	if len(files) > 0 {
		c.removed = append(c.removed, removal{seq, files})
	}
	return nil
}
