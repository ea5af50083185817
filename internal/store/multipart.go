package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// upload finds an unfinished upload.
func (s *Store) upload(b *bucket, u object.UploadID) (*layout.Row, error) {
	seq, ok := layout.ParseUploadID(u.ID)
	if !ok {
		return nil, object.ErrNoSuchUpload
	}
	key := layout.AppendUploadKey(nil, b.id, u.Key, seq)
	value, err := s.get(key)
	switch {
	case err != nil:
		return nil, err
	case value == nil:
		return nil, object.ErrNoSuchUpload
	}
	return layout.DecodeUpload(key, value)
}

// InitiateUpload implements ossapi.Uploads.
func (s *Store) InitiateUpload(ctx context.Context, by object.Origin, p object.Put) (begun object.Upload, err error) {
	b, err := s.bucket(p.Bucket)
	if err != nil {
		return object.Upload{}, err
	}
	if err := checkKey(p.Key); err != nil {
		return object.Upload{}, err
	}
	var info object.Info
	e, err := s.fillAttributes(ctx, &info, &p.Attributes, b.state.Load())
	if err != nil {
		return object.Upload{}, err
	}
	err = s.change(by, b, p.Key, func(c *change, _ *object.Bucket) error {
		seq, err := s.nextSeq()
		if err != nil {
			return err
		}
		info.Key, info.LastModified = p.Key, s.now()
		r := &layout.Row{Info: info, Seq: seq, DataKey: e.wrapped}
		c.delta[layout.StatUploads] = 1
		begun = r.Upload()
		return c.batch.Set(layout.AppendUploadKey(nil, b.id, p.Key, seq), layout.AppendRow(nil, r), nil)
	})
	if err != nil {
		return object.Upload{}, err
	}
	return begun, nil
}

// AbortUpload implements ossapi.Uploads.
func (s *Store) AbortUpload(_ context.Context, by object.Origin, u object.UploadID) error {
	b, err := s.bucket(u.Bucket)
	if err != nil {
		return err
	}
	return s.reduce(by, b, u.Key, func(c *change, _ *object.Bucket) error {
		r, err := s.upload(b, u)
		if err != nil {
			return err
		}
		parts, err := s.parts(r.Seq, 0, object.MaxParts)
		if err != nil {
			return err
		}
		return c.endUpload(r, parts, parts)
	})
}

// endUpload removes the upload r with all its parts, and the content of those in
// unused.
func (c *change) endUpload(r *layout.Row, parts, unused []layout.Part) error {
	c.delta[layout.StatUploads]--
	err := c.batch.Delete(layout.AppendUploadKey(nil, c.b.id, r.Info.Key, r.Seq), nil)
	for i := range parts {
		err = errors.Join(err, c.batch.Delete(layout.PartKey(r.Seq, parts[i].Number), nil))
	}
	pieces := make([]layout.Piece, len(unused))
	for i := range unused {
		pieces[i] = unused[i].Piece()
	}
	return errors.Join(err, c.releasePieces(r.Seq, pieces))
}

// Parts implements ossapi.Uploads.
func (s *Store) Parts(_ context.Context, u object.UploadID, after, limit int) (object.Upload, []object.Part, bool, error) {
	b, err := s.bucket(u.Bucket)
	if err != nil {
		return object.Upload{}, nil, false, err
	}
	r, err := s.upload(b, u)
	if err != nil {
		return object.Upload{}, nil, false, err
	}
	limit = min(max(limit, 1), maxPage)
	parts, err := s.parts(r.Seq, after, limit+1)
	if err != nil {
		return object.Upload{}, nil, false, err
	}
	page := make([]object.Part, min(len(parts), limit))
	for i := range page {
		page[i] = parts[i].Part
	}
	return r.Upload(), page, len(parts) > limit, nil
}

// parts lists up to limit parts of upload seq with a number above after.
func (s *Store) parts(seq uint64, after, limit int) (parts []layout.Part, err error) {
	if after >= object.MaxParts {
		return nil, nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: layout.PartKey(seq, max(after, 0)+1), UpperBound: layout.PartKey(seq, object.MaxParts+1)})
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok && len(parts) < limit; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		p, err := layout.DecodePart(it.Key(), value)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	if err := it.Error(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return parts, nil
}
