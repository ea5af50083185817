package store

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// Delete implements ossapi.Objects.
func (s *Store) Delete(_ context.Context, by object.Origin, v object.Version) (did object.Deleted, err error) {
	b, err := s.bucket(v.Bucket)
	if err != nil {
		return object.Deleted{}, err
	}
	err = s.reduce(by, b, v.Key, func(c *change, state *object.Bucket) (err error) {
		if v.ID != "" || state.Versioning == object.Unversioned {
			did, err = c.deleteVersion(v, state)
		} else {
			did, err = c.deleteCurrent(v.Key, state)
		}
		return err
	})
	if err == errNothing {
		err = nil
	}
	return did, err
}

// errNothing ends a change that would change nothing.
var errNothing = errors.New("nothing to change")

// deleteVersion permanently removes the version that v names.
func (c *change) deleteVersion(v object.Version, state *object.Bucket) (did object.Deleted, err error) {
	var r *layout.Row
	latest := true
	if v.ID == "" {
		r, err = newest(c.s.db, c.b.id, v.Key)
	} else {
		r, latest, err = c.exact(v.Key, v.ID)
	}
	if err != nil {
		return object.Deleted{}, err
	}
	if state.Versioning != object.Unversioned {
		did.VersionID = v.ID
	}
	if r == nil {
		return did, errNothing
	}
	did.DeleteMarker = r.Info.IsDeleteMarker
	c.record(journal.Delete, layout.ChangePermanent|latestIf(latest), r)
	if latest {
		c.top = r.Seq - 1
		err = c.reveal(v.Key, r)
	}
	return did, errors.Join(err, c.remove(r))
}

// deleteCurrent makes a delete marker the current version. In a suspended bucket the marker
// replaces the null version.
func (c *change) deleteCurrent(key string, state *object.Bucket) (object.Deleted, error) {
	seq, err := c.s.nextSeq()
	if err != nil {
		return object.Deleted{}, err
	}
	marker := &layout.Row{Seq: seq, Null: state.Versioning == object.Suspended}
	marker.Info = object.Info{Key: key, IsDeleteMarker: true, LastModified: c.s.now()}
	if marker.Null {
		if err := c.removeNull(key, state); err != nil {
			return object.Deleted{}, err
		}
	}
	c.delta.Count(marker, 1)
	c.record(journal.Delete, layout.ChangeLatest, marker)
	if err := c.put(marker); err != nil {
		return object.Deleted{}, err
	}
	return object.Deleted{VersionID: marker.VersionID(true), DeleteMarker: true}, nil
}

// DeleteIf does what Delete does, but first calls check with the version to delete. If check
// returns an error, DeleteIf changes nothing and returns it. Check and deletion are one atomic
// step. If v.ID is empty, the version is the current one, even a delete marker. Unlike Delete, it
// returns object.ErrNoSuchKey or ErrNoSuchVersion if the version does not exist. internal/lifecycle
// uses it.
func (s *Store) DeleteIf(_ context.Context, by object.Origin, v object.Version, check func(object.Info) error) (did object.Deleted, err error) {
	b, err := s.bucket(v.Bucket)
	if err != nil {
		return object.Deleted{}, err
	}
	err = s.reduce(by, b, v.Key, func(c *change, state *object.Bucket) error {
		r, latest, missing := (*layout.Row)(nil), true, object.ErrNoSuchKey
		if v.ID == "" {
			r, err = newest(s.db, b.id, v.Key)
		} else {
			r, latest, err = c.exact(v.Key, v.ID)
			missing = object.ErrNoSuchVersion
		}
		switch {
		case err != nil:
			return err
		case r == nil:
			return missing
		}
		versioned := state.Versioning != object.Unversioned
		if err := check(r.Public(versioned, latest)); err != nil {
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

// reduce does what commit does, for changes that free space.
func (s *Store) reduce(by object.Origin, b *bucket, key string, build func(*change, *object.Bucket) error) error {
	if err := s.mayDelete(); err != nil {
		return err
	}
	return s.commit(by, b, key, build)
}
