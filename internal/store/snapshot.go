package store

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// Source returns the store as an engine.Source. Its snapshots show the exact state
// of a bucket at one instant.
func (s *Store) Source() engine.Source { return source{s} }

type source struct{ s *Store }

// Snapshot implements engine.Source.
func (src source) Snapshot(ctx context.Context, name string) (engine.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := src.s.bucket(name)
	if err != nil {
		return nil, err
	}
	// While the lock is held, the bucket's versioning agrees with the snapshot.
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.gone {
		return nil, stocktake.ErrNoSuchBucket
	}
	sum := b.stat.load()
	sn := &snapshot{
		s: src.s, bucket: b.id, versioned: b.state.Load().Versioning != object.Unversioned,
		taken: src.s.opts.Now().Round(0).UTC(), versions: sum.Versions(), index: src.s.db.NewSnapshot(),
	}
	if b.journal.Load() == nil {
		return sn, nil
	}
	if sn.journal, err = src.s.journalPosition(sn.index, b.id); err != nil {
		return nil, errors.Join(err, sn.Close())
	}
	return sn, nil
}

// snapshot is the index at an instant, for one bucket.
//
// It is a plain snapshot: Pebble keeps the overwritten rows that it needs, and continues to
// compact. An EventuallyFileOnlySnapshot would keep whole tables and flush the write buffer first,
// which pays only if most of the index is rewritten during a scan.
type snapshot struct {
	s         *Store
	bucket    uint32
	versioned bool
	taken     time.Time
	versions  int64
	index     *pebble.Snapshot
	journal   *stocktake.JournalPosition // nil: the bucket has none
}

func (sn *snapshot) Time() time.Time                    { return sn.taken }
func (sn *snapshot) Consistency() stocktake.Consistency { return stocktake.ConsistencySnapshot }

// Journal implements engine.JournaledSnapshot.
func (sn *snapshot) Journal() *stocktake.JournalPosition { return sn.journal }

func (sn *snapshot) Close() error { return sn.index.Close() }

// bounds returns the index keys of prefix.
func (sn *snapshot) bounds(prefix string) (lower, upper []byte) {
	lower = layout.AppendEscaped(layout.AppendBucketHead(nil, layout.SpaceVersions, sn.bucket), prefix)
	return lower, layout.After(lower)
}

// Count implements engine.Snapshot. It is exact for the whole bucket; for a prefix it is estimated
// from the share of the bucket's space.
func (sn *snapshot) Count(_ context.Context, prefix string) (int64, error) {
	if prefix == "" || sn.versions == 0 {
		return sn.versions, nil
	}
	all, err := sn.s.db.EstimateDiskUsage(sn.bounds(""))
	if err != nil || all < sampledSize {
		return -1, err
	}
	part, err := sn.s.db.EstimateDiskUsage(sn.bounds(prefix))
	return int64(float64(sn.versions) * float64(part) / float64(all)), err
}
