package store

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// damage counts reads of damaged bytes.
type damage struct {
	blobs atomic.Int64 // reads of objects that failed since the process began
}

// damageLog returns the function that logs damage in the content of r.
func (s *Store) damageLog(b *bucket, r *layout.Row) func(error) {
	return func(err error) {
		s.damage.blobs.Add(1)
		state := b.state.Load()
		s.opts.Log.Error("store: the stored bytes of an object are damaged; its read fails",
			"bucket", state.Name, "key", r.Info.Key, "version", r.VersionID(state.Versioning != object.Unversioned), "err", err)
	}
}

// incomplete adds what to do to the error of an index that cannot be opened because a file is
// missing, as in a copy that was interrupted.
func incomplete(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a file of the index is missing, so that it cannot be opened or repaired: restore the whole data folder from a backup: %w", err)
	}
	return err
}
