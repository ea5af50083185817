package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// CopyObject implements ossapi.Objects. If neither side is encrypted and the source is one file,
// the copy shares its bytes on disk.
func (s *Store) CopyObject(ctx context.Context, by object.Origin, src object.Version, p object.Put, prepare func(object.Info, *object.Put) error) (source, made object.Info, err error) {
	target, err := s.bucket(p.Bucket)
	if err != nil {
		return object.Info{}, object.Info{}, err
	}
	r, source, c, err := s.openSource(ctx, src, func(info object.Info) error { return prepare(info, &p) })
	if err != nil {
		return source, object.Info{}, err
	}
	defer c.Close()
	if source.Size > object.MaxPartSize {
		return source, object.Info{}, object.ErrTooLarge
	}
	w := &newVersion{key: p.Key, forbidOverwrite: p.ForbidOverwrite}
	if source.Type == stocktake.Symlink { // the link is copied, not its target
		w.info.Type, w.info.Symlink = source.Type, source.Symlink
		p.Encryption = &object.Encryption{}
	}
	e, err := s.fillAttributes(ctx, &w.info, &p.Attributes, target.state.Load())
	if err != nil {
		return source, object.Info{}, err
	}
	var d digests
	if w.body, d, err = s.duplicate(ctx, r, c, 0, source.Size, e); err != nil {
		return source, object.Info{}, err
	}
	setDigests(&w.info, d)
	if source.Type == stocktake.Symlink {
		w.info.ETag, w.info.MD5, w.info.CRC64 = source.ETag, slices.Clone(source.MD5), 0
	}
	made, err = s.commitVersion(by, target, w)
	return source, made, err
}

// openSource opens the source of a copy. check sees its state first.
func (s *Store) openSource(ctx context.Context, v object.Version, check func(object.Info) error) (*layout.Row, object.Info, object.Content, error) {
	// an error of check comes before one of the content
	info, err := s.Head(ctx, v)
	if err != nil {
		return nil, object.Info{}, nil, err
	}
	for {
		if check != nil {
			if err := check(info); err != nil {
				return nil, info, nil, err
			}
		}
		if !readable(&info, s.opts.Now()) {
			return nil, info, nil, object.ErrNotRestored
		}
		r, opened, c, err := s.open(ctx, v)
		if err != nil {
			return nil, info, nil, err
		}
		if opened.VersionID == info.VersionID && opened.LastModified.Equal(info.LastModified) && opened.ETag.String() == info.ETag.String() {
			return r, opened, c, nil
		}
		info = opened // it was overwritten in between: check the new one
		if err := c.Close(); err != nil {
			return nil, info, nil, err
		}
	}
}

// readable reports whether the content may be read: that of an archived object
// must have been restored.
func readable(info *object.Info, now time.Time) bool {
	if info.StorageClass < stocktake.Archive || info.IsDeleteMarker || info.Type == stocktake.Symlink {
		return true
	}
	r := &info.Restore
	return !r.Requested.IsZero() && !now.Before(r.Ready) && now.Before(r.Expires)
}

// duplicate makes a body of n bytes from off of the open content c of r.
func (s *Store) duplicate(ctx context.Context, r *layout.Row, c object.Content, off, n int64, e envelope) (*body, digests, error) {
	if !inRange(off, n, r.Info.Size) {
		return nil, digests{}, errRange
	}
	whole := n == r.Info.Size && len(r.Info.MD5) == 16
	if whole && r.Content.InFile() && r.DataKey == nil && e.key == nil {
		b, err := s.link(r)
		if err == nil {
			return b, digests{n, r.Info.CRC64, [16]byte(r.Info.MD5)}, nil
		}
		// The source may have been removed by now, or have the maximum number of links: its bytes
		// can still be read.
		if ctx.Err() != nil {
			return nil, digests{}, ctx.Err()
		}
	}
	reader, err := c.Range(off, n)
	if err != nil {
		return nil, digests{}, err
	}
	return s.receive(ctx, reader, &object.Put{Size: n}, e)
}

// link makes a finished body of the file of r without copying it.
func (s *Store) link(r *layout.Row) (*body, error) {
	b := s.newBody(0, envelope{})
	err := b.recordIntent()
	if err == nil {
		b.content.Kind, b.size = r.Content.Kind, r.Info.Size
		err = b.intent.SyncWait()
	}
	if err == nil {
		b.file, err = s.blobs.Link(b.content.ID, r.Content.ID)
	}
	if err != nil {
		b.drop()
		return nil, fmt.Errorf("link a blob: %w", err)
	}
	return b, nil
}
