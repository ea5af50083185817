package store

import (
	"context"

	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// UpdateObject implements ossapi.Objects.
func (s *Store) UpdateObject(_ context.Context, by object.Origin, v object.Version, update func(*object.Info) error) (updated object.Info, err error) {
	b, err := s.bucket(v.Bucket)
	if err != nil {
		return object.Info{}, err
	}
	err = s.change(by, b, v.Key, func(c *change, _ *object.Bucket) error {
		r, info, err := find(s.db, b, v)
		if err != nil {
			return err
		}
		if err := update(&info); err != nil {
			return err
		}
		c.delta.Count(r, -1)
		in := &r.Info
		in.ACL, in.Tags, in.StorageClass = info.ACL, info.Tags, info.StorageClass
		in.LastModified = layout.FromMilli(layout.UnixMilli(info.LastModified))
		in.Restore = object.Restore{
			Requested: layout.FromMilli(layout.UnixMilli(info.Restore.Requested)),
			Ready:     layout.FromMilli(layout.UnixMilli(info.Restore.Ready)),
			Expires:   layout.FromMilli(layout.UnixMilli(info.Restore.Expires)),
		}
		in.TransitionTime = layout.FromMilli(layout.UnixMilli(info.TransitionTime))
		c.delta.Count(r, 1)
		c.record(journal.UpdateMetadata, latestIf(info.IsLatest), r)
		updated = r.Public(info.VersionID != "", info.IsLatest)
		return c.put(r)
	})
	if err != nil {
		return object.Info{}, err
	}
	return updated, nil
}
