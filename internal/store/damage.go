package store

import (
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
