package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

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

// open finds a version and opens its content. Between the two the version may
// be removed, and its bytes with it; then it is looked for again.
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
