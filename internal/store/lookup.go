package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
)

// reader is the index, now or at an instant.
type reader interface {
	NewIter(*pebble.IterOptions) (*pebble.Iterator, error)
}

// versions calls yield with the versions of a key, newest first, until it
// returns false.
func versions(from reader, bucket uint32, key string, yield func(r *row, latest bool) bool) error {
	var buf [256]byte
	head := appendKeyHead(buf[:0], bucket, key)
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: head, UpperBound: after(head)})
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
		r, err := decodeRow(it.Key(), value)
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

// newest is the newest version of a key, nil if there is none.
func newest(from reader, bucket uint32, key string) (found *row, err error) {
	err = versions(from, bucket, key, func(r *row, _ bool) bool {
		found = r
		return false
	})
	return found, err
}

// null is the null version of a key, nil if there is none.
func null(from reader, bucket uint32, key string) (found *row, latest bool, err error) {
	err = versions(from, bucket, key, func(r *row, isLatest bool) bool {
		if r.null {
			found, latest = r, isLatest
		}
		return found == nil
	})
	return found, latest, err
}

// exact is the version of a key that an id names, nil if there is none.
func exact(from reader, bucket uint32, key, id string) (found *row, latest bool, err error) {
	if id == object.NullVersion {
		return null(from, bucket, key)
	}
	seq, ok := parseVersionID(id)
	if !ok {
		return nil, false, nil
	}
	err = versions(from, bucket, key, func(r *row, isLatest bool) bool {
		if r.seq == seq && !r.null {
			found, latest = r, isLatest
		}
		return r.seq > seq
	})
	return found, latest, err
}

// find is the version that v names, as Head promises: not a delete marker.
func find(from reader, b *bucket, v object.Version) (*row, object.Info, error) {
	versioned := b.state.Load().Versioning != object.Unversioned
	if v.ID == "" {
		r, err := newest(from, b.id, v.Key)
		switch {
		case err != nil:
			return nil, object.Info{}, err
		case r == nil:
			return nil, object.Info{}, object.ErrNoSuchKey
		case r.info.IsDeleteMarker:
			return nil, object.Info{}, &object.DeleteMarkerError{VersionID: r.versionID(versioned)}
		}
		return r, r.publish(versioned, true), nil
	}
	r, latest, err := exact(from, b.id, v.Key, v.ID)
	switch {
	case err != nil:
		return nil, object.Info{}, err
	case r == nil:
		return nil, object.Info{}, object.ErrNoSuchVersion
	case r.info.IsDeleteMarker:
		return nil, object.Info{}, object.ErrMethodNotAllowed
	}
	return r, r.publish(versioned, latest), nil
}

// versionID is the id of r, as a bucket that is or was never versioned shows it.
func (r *row) versionID(versioned bool) string {
	switch {
	case !versioned:
		return ""
	case r.null:
		return object.NullVersion
	}
	return versionID(r.seq)
}

// publish is what callers get to see of r.
func (r *row) publish(versioned, latest bool) object.Info {
	info := r.info
	info.VersionID, info.IsLatest = r.versionID(versioned), latest
	return info
}
