package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// UploadPart implements ossapi.Uploads.
func (s *Store) UploadPart(ctx context.Context, by object.Origin, u object.UploadID, number int, p object.Put, r io.Reader) (object.Part, error) {
	return s.addPart(ctx, by, u, number, func(e envelope) (*body, digests, error) {
		return s.receive(ctx, r, &p, e)
	})
}

// UploadPartCopy implements ossapi.Uploads.
func (s *Store) UploadPartCopy(ctx context.Context, by object.Origin, u object.UploadID, number int, src object.Version, off, n int64, check func(object.Info) error) (source object.Info, made object.Part, err error) {
	made, err = s.addPart(ctx, by, u, number, func(e envelope) (*body, digests, error) {
		r, info, c, err := s.openSource(ctx, src, check)
		if source = info; err != nil {
			return nil, digests{}, err
		}
		defer c.Close()
		if n < 0 {
			n = info.Size - off
		}
		if n > object.MaxPartSize {
			return nil, digests{}, object.ErrTooLarge
		}
		return s.duplicate(ctx, r, c, off, n, e)
	})
	return source, made, err
}

// addPart adds the body that receive returns to an upload.
func (s *Store) addPart(ctx context.Context, by object.Origin, u object.UploadID, number int, receive func(envelope) (*body, digests, error)) (object.Part, error) {
	b, err := s.bucket(u.Bucket)
	if err != nil {
		return object.Part{}, err
	}
	r, err := s.upload(b, u)
	if err != nil {
		return object.Part{}, err
	}
	if number < 1 || number > object.MaxParts {
		return object.Part{}, fmt.Errorf("%w: its number is %d", object.ErrInvalidPart, number)
	}
	e, err := s.unseal(ctx, r)
	if err != nil {
		return object.Part{}, err
	}
	body, d, err := receive(e)
	if err != nil {
		return object.Part{}, err
	}
	var made layout.Part
	err = s.change(by, b, u.Key, func(c *change, _ *object.Bucket) error {
		if _, err := s.upload(b, u); err != nil { // it may have ended meanwhile
			return err
		}
		old, err := s.parts(r.Seq, number-1, 1)
		if err != nil {
			return err
		}
		if len(old) > 0 && old[0].Number == number {
			if err := c.releasePieces(r.Seq, []layout.Piece{old[0].Piece()}); err != nil {
				return err
			}
		}
		made = layout.Part{
			Part:    object.Part{Number: number, Size: d.n, MD5: d.md5, CRC64: d.crc64, LastModified: s.now()},
			Content: body.content,
		}
		return errors.Join(c.batch.Set(layout.PartKey(r.Seq, number), layout.AppendPart(nil, &made), nil), body.addTo(c.batch))
	})
	body.end(err)
	if err != nil {
		return object.Part{}, err
	}
	return made.Part, nil
}
