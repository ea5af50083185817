package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// Head implements ossapi.Objects.
func (s *Store) Head(_ context.Context, v object.Version) (object.Info, error) {
	b, err := s.bucket(v.Bucket)
	if err != nil {
		return object.Info{}, err
	}
	_, info, err := find(s.db, b, v)
	return info, err
}

// Open implements ossapi.Objects.
func (s *Store) Open(ctx context.Context, v object.Version) (object.Info, object.Content, error) {
	_, info, c, err := s.open(ctx, v)
	return info, c, err
}

// open finds a version and opens its content. If the version and its bytes are removed in between,
// open searches for it again.
func (s *Store) open(ctx context.Context, v object.Version) (*layout.Row, object.Info, object.Content, error) {
	b, err := s.bucket(v.Bucket)
	if err != nil {
		return nil, object.Info{}, nil, err
	}
	for last := (layout.Content{}); ; {
		r, info, err := find(s.db, b, v)
		if err != nil {
			return nil, object.Info{}, nil, err
		}
		c, err := s.openContent(ctx, b, r)
		if err == nil {
			return r, info, c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, object.Info{}, nil, err
		}
		if r.Content == last {
			return nil, object.Info{}, nil, fmt.Errorf("the content of %s is lost: %w", v.Key, err)
		}
		last = r.Content
	}
}

// exact returns the version of a key that an id names, nil if there is none. It costs two seeks
// however many versions the key has; for the null version see findNull.
func exact(from reader, bucket uint32, key, id string) (found *layout.Row, latest bool, err error) {
	return exactBelow(from, bucket, key, id, math.MaxUint64)
}

// exactBelow does what exact does. No version has a sequence number greater than bound.
func exactBelow(from reader, bucket uint32, key, id string, bound uint64) (found *layout.Row, latest bool, err error) {
	if id == object.NullVersion {
		return findNull(from, bucket, key)
	}
	seq, ok := layout.ParseVersionID(id)
	if !ok {
		return nil, false, nil
	}
	var headBuf, keyBuf [256]byte
	head := layout.AppendKeyHead(headBuf[:0], bucket, key)
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: head, UpperBound: layout.After(head)})
	if err != nil {
		return nil, false, fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	ok = it.SeekPrefixGE(layout.AppendVersionKey(keyBuf[:0], bucket, key, bound))
	if latest = ok && layout.VersionSeq(it.Key()) == seq; ok && !latest {
		ok = it.SeekPrefixGE(layout.AppendVersionKey(keyBuf[:0], bucket, key, seq)) && layout.VersionSeq(it.Key()) == seq
	}
	if !ok {
		if err := it.Error(); err != nil {
			return nil, false, fmt.Errorf("index: %w", err)
		}
		return nil, false, nil
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, false, fmt.Errorf("index: %w", err)
	}
	r, err := layout.DecodeRow(it.Key(), value)
	if err != nil || r.Null {
		return nil, false, err
	}
	return &r, latest, nil
}

// find returns the version that v names; as Head promises, it is not a delete marker.
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
		return r, r.Public(versioned, true), nil
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
	return r, r.Public(versioned, latest), nil
}

// findNull returns the null version of a key, nil if there is none. Its number is not known, but it
// is the newest version of a bucket whose versioning is suspended, and the oldest of one that got
// versioning after it was written: these two are read first, then only the flags of the others.
func findNull(from reader, bucket uint32, key string) (found *layout.Row, latest bool, err error) {
	var headBuf [256]byte
	head := layout.AppendKeyHead(headBuf[:0], bucket, key)
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: head, UpperBound: layout.After(head)})
	if err != nil {
		return nil, false, fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	null := func() (null bool) {
		var value []byte
		if value, err = it.ValueAndErr(); err == nil {
			null, err = layout.IsNull(it.Key(), value)
		}
		return null
	}
	ok := it.SeekPrefixGE(head)
	if latest = ok && null(); ok && !latest && err == nil {
		if ok = it.Last(); ok && !null() && err == nil {
			for ok = it.Prev(); ok && !null() && err == nil; ok = it.Prev() {
			}
		}
	}
	if err = errors.Join(err, it.Error()); err != nil {
		return nil, false, fmt.Errorf("index: %w", err)
	}
	if !ok {
		return nil, false, nil
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, false, fmt.Errorf("index: %w", err)
	}
	r, err := layout.DecodeRow(it.Key(), value)
	if err != nil {
		return nil, false, err
	}
	return &r, latest, nil
}
