package store

import (
	"context"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// DeleteIf is Delete, unless check returns an error for the state that would be
// deleted: then nothing is changed and the error is returned. Both are one atomic
// step. Of v.ID empty that state is the current version, be it a delete marker.
// Unlike Delete it gives object.ErrNoSuchKey or ErrNoSuchVersion if there is
// nothing. It is what internal/lifecycle deletes with.
func (s *Store) DeleteIf(_ context.Context, by object.Origin, v object.Version, check func(object.Info) error) (did object.Deleted, err error) {
	b, err := s.bucket(v.Bucket)
	if err != nil {
		return object.Deleted{}, err
	}
	err = s.change(by, b, v.Key, func(c *change, state *object.Bucket) error {
		r, latest, missing := (*layout.Row)(nil), true, object.ErrNoSuchKey
		if v.ID == "" {
			r, err = newest(s.db, b.id, v.Key)
		} else {
			r, latest, err = exact(s.db, b.id, v.Key, v.ID)
			missing = object.ErrNoSuchVersion
		}
		switch {
		case err != nil:
			return err
		case r == nil:
			return missing
		}
		versioned := state.Versioning != object.Unversioned
		if err := check(r.Publish(versioned, latest)); err != nil {
			return err
		}
		if v.ID != "" || !versioned {
			did, err = c.deleteVersion(v, state)
		} else {
			did, err = c.deleteCurrent(v.Key, state)
		}
		return err
	})
	if err != nil {
		return object.Deleted{}, err
	}
	return did, nil
}
