package store

import (
	"context"
	"crypto/md5"
	"errors"
	"io"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/digest"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// mergeSize is the size, in bytes, below which an append rewrites the last blob of an appendable
// object, so that many small appends do not make many pieces. Finished blobs never change, so
// readers of an older state are not affected.
const mergeSize = 512 << 10

func textSum[T string | []byte](text T) [16]byte { return md5.Sum([]byte(text)) }

// AppendObject implements ossapi.Appends. An append to an object keeps its
// version, also in a versioned bucket.
func (s *Store) AppendObject(ctx context.Context, by object.Origin, p object.Put, position int64, r io.Reader) (object.Info, error) {
	b, err := s.bucket(p.Bucket)
	if err != nil {
		return object.Info{}, err
	}
	old, err := newest(s.db, b.id, p.Key)
	if err != nil {
		return object.Info{}, err
	}
	if err := appendable(old, position); err != nil {
		return object.Info{}, err
	}
	if old == nil || old.Info.IsDeleteMarker {
		return s.beginAppendable(ctx, by, b, &p, r)
	}
	return s.extend(ctx, by, b, old, &p, r)
}

// appendable returns the error of an append to old at position. A nil row or a delete marker means
// that the object does not exist yet.
func appendable(old *layout.Row, position int64) error {
	switch {
	case old == nil || old.Info.IsDeleteMarker:
		if position != 0 {
			return &object.PositionError{}
		}
	case old.Info.Type != stocktake.Appendable:
		return object.ErrNotAppendable
	case old.Info.Sealed:
		return object.ErrSealed
	case old.Info.Size != position:
		return &object.PositionError{Length: old.Info.Size}
	}
	return nil
}

// beginAppendable makes an appendable object.
func (s *Store) beginAppendable(ctx context.Context, by object.Origin, b *bucket, p *object.Put, r io.Reader) (object.Info, error) {
	w := &newVersion{key: p.Key, mustBeNew: true}
	e, err := s.fillAttributes(ctx, &w.info, &p.Attributes, b.state.Load())
	if err != nil {
		return object.Info{}, err
	}
	var d digests
	if w.body, d, err = s.receive(ctx, r, p, e); err != nil {
		return object.Info{}, err
	}
	w.info.Type, w.info.CRC64 = stocktake.Appendable, d.crc64
	w.info.ETag = stocktake.ETag{Sum: textSum(d.md5[:])}
	return s.commitVersion(by, b, w)
}

// extend adds the body to the appendable object old.
func (s *Store) extend(ctx context.Context, by object.Origin, b *bucket, old *layout.Row, p *object.Put, r io.Reader) (made object.Info, err error) {
	pieces, e, err := s.lastPieces(ctx, old)
	if err != nil {
		return object.Info{}, err
	}
	var tail []layout.Piece // is rewritten
	if n := len(pieces); n > 0 && pieces[n-1].Size < mergeSize {
		pieces, tail = pieces[:n-1], pieces[n-1:]
	}
	nb := s.newBody(-1, e)
	defer func() { nb.end(err) }()
	if err := s.copyPieces(nb, tail, e, s.damageLog(b, old)); err != nil {
		return object.Info{}, s.movedOn(b, old, err)
	}
	d, err := nb.receive(ctx, r, p)
	if err == nil && d.n > object.MaxPartSize-old.Info.Size {
		err = object.ErrTooLarge
	}
	if err == nil {
		err = nb.finish()
	}
	if err != nil {
		return object.Info{}, err
	}
	err = s.change(by, b, p.Key, func(c *change, state *object.Bucket) error {
		now, err := newest(s.db, b.id, p.Key)
		if err != nil {
			return err
		}
		if err := appendable(now, old.Info.Size); err != nil {
			return err
		}
		if now == nil || now.Seq != old.Seq || now.Content != old.Content {
			// it was replaced by an object of the same length
			return &object.PositionError{}
		}
		made, err = c.extend(now, p, pieces, tail, nb, d)
		made.VersionID = now.VersionID(state.Versioning != object.Unversioned)
		return err
	})
	if err != nil {
		return object.Info{}, err
	}
	return made, nil
}

// lastPieces lists the pieces of old.
func (s *Store) lastPieces(ctx context.Context, old *layout.Row) ([]layout.Piece, envelope, error) {
	e, err := s.unseal(ctx, old)
	if err != nil {
		return nil, envelope{}, err
	}
	switch old.Content.Kind {
	case layout.ContentEmpty:
		return nil, e, nil
	case layout.ContentMap:
		pieces, err := getPieces(s.db, old.Content.ID)
		return pieces, e, err
	}
	return []layout.Piece{{Content: old.Content, Size: old.Info.Size}}, e, nil
}

// copyPieces copies the bytes of pieces to w.
func (s *Store) copyPieces(w io.Writer, pieces []layout.Piece, e envelope, damaged func(error)) error {
	buf := buffers.get()
	defer buffers.put(buf)
	for _, p := range pieces {
		c, err := s.openBlob(s.db, p, e, damaged)
		if err != nil {
			return err
		}
		r, err := c.Range(0, p.Size)
		if err == nil {
			_, err = io.CopyBuffer(w, struct{ io.Reader }{r}, *buf)
		}
		if err := errors.Join(err, c.Close()); err != nil {
			return err
		}
	}
	return nil
}

// movedOn replaces err, an error of reading old, if old is no longer the current state.
func (s *Store) movedOn(b *bucket, old *layout.Row, err error) error {
	now, nowErr := newest(s.db, b.id, old.Info.Key)
	if nowErr == nil && now != nil && now.Seq == old.Seq && now.Content == old.Content {
		return err
	}
	if positionErr := appendable(now, old.Info.Size); nowErr == nil && positionErr != nil {
		return positionErr
	}
	return err
}

// extend replaces the last pieces of r by body.
func (c *change) extend(r *layout.Row, p *object.Put, pieces, tail []layout.Piece, b *body, d digests) (object.Info, error) {
	c.delta.Count(r, -1)
	oldMap := layout.Content{}
	if r.Content.Kind == layout.ContentMap {
		oldMap = r.Content
	}
	if b.size > 0 {
		pieces = append(slices.Clone(pieces), layout.Piece{Content: b.content, Size: b.size})
	}
	switch len(pieces) {
	case 0:
		r.Content = layout.Content{}
	case 1:
		r.Content = pieces[0].Content
	default:
		id, err := c.s.nextSeq()
		if err != nil {
			return object.Info{}, err
		}
		r.Content = layout.Content{Kind: layout.ContentMap, ID: id}
		if err := c.batch.Set(layout.IDKey(layout.SpaceMaps, id), layout.AppendPieces(nil, pieces), nil); err != nil {
			return object.Info{}, err
		}
	}
	if oldMap.Kind == layout.ContentMap {
		if err := c.batch.Delete(layout.IDKey(layout.SpaceMaps, oldMap.ID), nil); err != nil {
			return object.Info{}, err
		}
	}
	in := &r.Info
	in.Size += d.n
	in.CRC64 = digest.JoinCRC64(in.CRC64, d.crc64, d.n)
	in.ETag = stocktake.ETag{Sum: textSum(append(in.ETag.Sum[:], d.md5[:]...))}
	in.LastModified = c.s.now()
	if p.SetACL {
		in.ACL = p.ACL
	}
	c.delta.Count(r, 1)
	c.record(journal.Create, layout.ChangeLatest, r)
	err := errors.Join(c.releasePieces(r.Seq, tail), c.put(r), b.addTo(c.batch))
	return r.Public(false, true), err
}

// SealAppendObject implements ossapi.Appends. Sealing a sealed object changes
// nothing.
func (s *Store) SealAppendObject(_ context.Context, by object.Origin, name, key string, position int64) (sealed object.Info, err error) {
	b, err := s.bucket(name)
	if err != nil {
		return object.Info{}, err
	}
	err = s.change(by, b, key, func(c *change, state *object.Bucket) error {
		r, err := newest(s.db, b.id, key)
		switch {
		case err != nil:
			return err
		case r == nil:
			return object.ErrNoSuchKey
		case r.Info.IsDeleteMarker:
			return &object.DeleteMarkerError{VersionID: r.VersionID(true)}
		case r.Info.Type != stocktake.Appendable:
			return object.ErrNotAppendable
		case r.Info.Size != position:
			return &object.PositionError{Length: r.Info.Size}
		}
		already := r.Info.Sealed
		r.Info.Sealed = true
		sealed = r.Public(state.Versioning != object.Unversioned, true)
		if already {
			return errNothing
		}
		c.record(journal.UpdateMetadata, layout.ChangeLatest, r)
		return c.put(r)
	})
	if err != nil && err != errNothing {
		return object.Info{}, err
	}
	return sealed, nil
}
