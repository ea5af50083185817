package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// reader is the index, now or at an instant.
type reader interface {
	NewIter(*pebble.IterOptions) (*pebble.Iterator, error)
}

// versions calls yield with the versions of a key, newest first, until it
// returns false.
func versions(from reader, bucket uint32, key string, yield func(r *layout.Row, latest bool) bool) error {
	var buf [256]byte
	head := layout.AppendKeyHead(buf[:0], bucket, key)
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: head, UpperBound: layout.After(head)})
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	latest := true
	for ok := it.SeekPrefixGE(head); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		r, err := layout.DecodeRow(it.Key(), value)
		if err != nil {
			return err
		}
		if !yield(&r, latest) {
			return nil
		}
		latest = false
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// newest returns the newest version of a key, nil if there is none.
func newest(from reader, bucket uint32, key string) (found *layout.Row, err error) {
	err = versions(from, bucket, key, func(r *layout.Row, _ bool) bool {
		found = r
		return false
	})
	return found, err
}

// null returns the null version of a key, nil if there is none.
func null(from reader, bucket uint32, key string) (found *layout.Row, latest bool, err error) {
	err = versions(from, bucket, key, func(r *layout.Row, isLatest bool) bool {
		if r.Null {
			found, latest = r, isLatest
		}
		return found == nil
	})
	return found, latest, err
}

// exact returns the version of a key that an id names, nil if there is none.
func exact(from reader, bucket uint32, key, id string) (found *layout.Row, latest bool, err error) {
	if id == object.NullVersion {
		return null(from, bucket, key)
	}
	seq, ok := layout.ParseVersionID(id)
	if !ok {
		return nil, false, nil
	}
	err = versions(from, bucket, key, func(r *layout.Row, isLatest bool) bool {
		if r.Seq == seq && !r.Null {
			found, latest = r, isLatest
		}
		return r.Seq > seq
	})
	return found, latest, err
}

// find returns the version that v names, as Head promises: not a delete marker.
func find(from reader, b *bucket, v object.Version) (*layout.Row, object.Info, error) {
	versioned := b.state.Load().Versioning != object.Unversioned
	if v.ID == "" {
		r, err := newest(from, b.id, v.Key)
		switch {
		case err != nil:
			return nil, object.Info{}, err
		case r == nil:
			return nil, object.Info{}, object.ErrNoSuchKey
		case r.Info.IsDeleteMarker:
			return nil, object.Info{}, &object.DeleteMarkerError{VersionID: r.VersionID(versioned)}
		}
		return r, r.Publish(versioned, true), nil
	}
	r, latest, err := exact(from, b.id, v.Key, v.ID)
	switch {
	case err != nil:
		return nil, object.Info{}, err
	case r == nil:
		return nil, object.Info{}, object.ErrNoSuchVersion
	case r.Info.IsDeleteMarker:
		return nil, object.Info{}, object.ErrMethodNotAllowed
	}
	return r, r.Publish(versioned, latest), nil
}
