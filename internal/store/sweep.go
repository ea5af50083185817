package store

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A blob file that is not named by a row is known by one of two records, so
// that no start has to look through all rows or all files:
//
//	I | id   it is on its way in: made durable before the file gets its name,
//	         removed by the commit that names it in a row
//	R | id   it is on its way out: made by the commit that removes the row,
//	         removed after the file
//
// What a process that was killed has left of them is swept by the next one.

// startSweep removes the files of all records that are there now. Ids are never
// used twice, so it need not be done before the first write.
func (s *Store) startSweep(ctx context.Context) error {
	ctx, s.stopSweep = context.WithCancel(context.WithoutCancel(ctx))
	leftovers := s.db.NewSnapshot()
	s.sweeping.Go(func() {
		defer leftovers.Close()
		for _, space := range []byte{spaceIntents, spaceRemovals} {
			if err := s.sweep(ctx, leftovers, space); err != nil && ctx.Err() == nil {
				s.opts.Log.Error("store: blobs that nothing names could not be removed; the next start tries again", "err", err)
			}
		}
	})
	return nil
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
			return fmt.Errorf("%w: key %x", errRow, it.Key())
		}
		if err := s.removeBlob(binary.BigEndian.Uint64(it.Key()[1:]), space); err != nil {
			return err
		}
		n++
	}
	if n > 0 {
		s.opts.Log.Info("store: removed blobs that an interrupted process left", "blobs", n)
	}
	return it.Error()
}

// removeBlob removes a blob file and then its record in space. The record need
// not be durably gone: removing a file twice does no harm.
func (s *Store) removeBlob(id uint64, space byte) error {
	if err := s.blobs.remove(id); err != nil {
		return err
	}
	return s.db.Delete(idKey(space, id), pebble.NoSync)
}

// removeBlobs removes files whose removal is committed. What fails is tried
// again at the next start.
func (s *Store) removeBlobs(ids []uint64) {
	for _, id := range ids {
		if err := s.removeBlob(id, spaceRemovals); err != nil {
			s.opts.Log.Error("store: a blob could not be removed; the next start tries again", "blob", id, "err", err)
		}
	}
}
