package store

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// layoutVersion is the version of the key spaces and values of the index. The store refuses an
// index of a later version, because it would drop unknown settings, such as a bucket's policy.
const layoutVersion = 4

// migrations[v-1] adds to the batch the changes from an index of version v to v+1.
// docs/formats/store.md lists what each version changed.
var migrations = [layoutVersion - 1]func(*Store, *pebble.Batch) error{
	(*Store).typeBucketSettings,
	func(*Store, *pebble.Batch) error { return nil }, // new blob files have checksums; those that exist have another kind
	func(*Store, *pebble.Batch) error { return nil }, // journals; a version that does not write them must not change a bucket that has one
}

// checkLayout marks a new index with the layout's version, migrates an index of
// an earlier version, and refuses every other. A migration is one atomic batch.
func (s *Store) checkLayout() error {
	v, err := s.get(layout.KeyFormat)
	if err != nil {
		return err
	}
	have := uint32(layoutVersion)
	switch {
	case len(v) == 4:
		have = binary.BigEndian.Uint32(v)
	case v != nil:
		return fmt.Errorf("%w: layout version %x", layout.ErrMalformed, v)
	}
	if have < 1 || have > layoutVersion {
		return fmt.Errorf("the store has layout %d, this program knows layouts 1 to %d", have, layoutVersion)
	}
	if v != nil && have == layoutVersion {
		return nil
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	if have < layoutVersion {
		s.opts.Log.Info("store: migrating the index", "from", have, "to", layoutVersion)
	}
	for ; have < layoutVersion; have++ {
		if err := migrations[have-1](s, batch); err != nil {
			return fmt.Errorf("migrate layout %d: %w", have, err)
		}
	}
	if err := batch.Set(layout.KeyFormat, binary.BigEndian.AppendUint32(nil, layoutVersion), nil); err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}

// typeBucketSettings rewrites the buckets of layout 1, whose settings were documents keyed by
// sub-resource.
func (s *Store) typeBucketSettings(batch *pebble.Batch) error {
	return s.eachBucket(func(name string, id uint32, b *object.Bucket, value []byte) error {
		if err := layout.SettingsOfDocuments(b, value); err != nil {
			return fmt.Errorf("bucket %s in the index: %w", name, err)
		}
		value, err := layout.EncodeBucket(id, b)
		if err != nil {
			return err
		}
		return batch.Set(layout.BucketKey(name), value, nil)
	})
}
