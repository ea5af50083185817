package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/blob"
	"github.com/stocktake/stocktake/internal/store/layout"
)

var errRange = errors.New("range outside of the content")

// inRange reports whether n bytes from off lie within size.
func inRange(off, n, size int64) bool {
	return off >= 0 && n >= 0 && off <= size && n <= size-off
}

// getter is the index, now or at an instant.
type getter interface {
	Get(key []byte) ([]byte, io.Closer, error)
}

// get returns the value of a key of the index, nil if there is none.
func get(from getter, key []byte) ([]byte, error) {
	v, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	defer closer.Close()
	return append([]byte{}, v...), nil
}

// openContent opens the bytes of r; the error is fs.ErrNotExist if they are
// gone.
func (s *Store) openContent(ctx context.Context, r *layout.Row) (object.Content, error) {
	e, err := s.unseal(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Content.Kind == layout.ContentMap {
		return s.openPieces(r, e)
	}
	return s.openBlob(s.db, layout.Piece{Content: r.Content, Size: r.Info.Size}, e)
}

// openBlob opens one blob.
func (s *Store) openBlob(from getter, p layout.Piece, e envelope) (object.Content, error) {
	switch p.Kind {
	case layout.ContentEmpty:
		return memoryContent(nil), nil
	case layout.ContentInline:
		data, err := get(from, layout.IDKey(layout.SpaceData, p.ID))
		switch {
		case err != nil:
			return nil, err
		case data == nil:
			return nil, fs.ErrNotExist
		case e.key != nil:
			return openSealed(bytes.NewReader(data), io.NopCloser(nil), p, e)
		}
		return memoryContent(data), nil
	case layout.ContentFile:
		f, err := s.blobs.Open(p.ID)
		if err != nil {
			return nil, err
		}
		if e.key != nil {
			return openSealed(f, f, p, e)
		}
		return &fileContent{f, p.Size}, nil
	}
	return nil, fmt.Errorf("%w: content of kind %d", layout.ErrMalformed, p.Kind)
}

// memoryContent is a small blob.
type memoryContent []byte

func (c memoryContent) Close() error { return nil }

func (c memoryContent) Range(off, n int64) (io.Reader, error) {
	if !inRange(off, n, int64(len(c))) {
		return nil, errRange
	}
	return bytes.NewReader(c[off : off+n]), nil
}

// fileContent is a blob file.
type fileContent struct {
	f    blob.File
	size int64
}

func (c *fileContent) Close() error { return c.f.Close() }

func (c *fileContent) Range(off, n int64) (io.Reader, error) {
	if !inRange(off, n, c.size) {
		return nil, errRange
	}
	if f, ok := c.f.(*os.File); ok {
		if _, err := f.Seek(off, io.SeekStart); err != nil {
			return nil, err
		}
		return &io.LimitedReader{R: f, N: n}, nil
	}
	return io.NewSectionReader(c.f, off, n), nil
}

// sealedContent is an encrypted blob.
type sealedContent struct {
	r *kms.Reader
	c io.Closer
}

func openSealed(stream io.ReaderAt, c io.Closer, p layout.Piece, e envelope) (object.Content, error) {
	r, err := kms.NewReader(stream, kms.CipherSize(p.Size), e.key, blobAAD(p.ID))
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &sealedContent{r, c}, nil
}

func (c *sealedContent) Close() error { return c.c.Close() }

func (c *sealedContent) Range(off, n int64) (io.Reader, error) {
	if !inRange(off, n, c.r.Size()) {
		return nil, errRange
	}
	return c.r.Range(off, n), nil
}
