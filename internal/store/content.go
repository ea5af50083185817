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
func (s *Store) openContent(ctx context.Context, b *bucket, r *layout.Row) (object.Content, error) {
	e, err := s.unseal(ctx, r)
	if err != nil {
		return nil, err
	}
	damaged := s.damageLog(b, r)
	if r.Content.Kind == layout.ContentMap {
		return s.openPieces(r, e, damaged)
	}
	return s.openBlob(s.db, layout.Piece{Content: r.Content, Size: r.Info.Size}, e, damaged)
}

// openBlob opens one blob. If a read finds damaged bytes, it calls damaged and fails.
func (s *Store) openBlob(from getter, p layout.Piece, e envelope, damaged func(error)) (object.Content, error) {
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
			return openSealed(bytes.NewReader(data), io.NopCloser(nil), p, e, damaged)
		}
		return memoryContent(data), nil
	case layout.ContentFile:
		stored := p.Size
		if e.key != nil {
			stored = kms.CipherSize(p.Size)
		}
		f, err := s.blobs.OpenChecked(p.ID, stored)
		if err != nil {
			return nil, err
		}
		f.OnDamage = damaged
		if e.key != nil {
			return openSealed(f, f, p, e, damaged)
		}
		return &fileContent{f, p.Size}, nil
	case layout.ContentBare:
		f, err := s.blobs.Open(p.ID)
		if err != nil {
			return nil, err
		}
		if e.key != nil {
			return openSealed(f, f, p, e, damaged)
		}
		return &bareContent{f, p.Size}, nil
	}
	return nil, fmt.Errorf("%w: content of kind %d", layout.ErrMalformed, p.Kind)
}

// memoryContent is a small blob. The index checks its own blocks.
type memoryContent []byte

func (c memoryContent) Close() error { return nil }

func (c memoryContent) Range(off, n int64) (io.Reader, error) {
	if !inRange(off, n, int64(len(c))) {
		return nil, errRange
	}
	return bytes.NewReader(c[off : off+n]), nil
}

// fileContent is a blob file, whose bytes are checked as they are read.
type fileContent struct {
	f    *blob.Reader
	size int64
}

func (c *fileContent) Close() error { return c.f.Close() }

func (c *fileContent) Range(off, n int64) (io.Reader, error) {
	if !inRange(off, n, c.size) {
		return nil, errRange
	}
	return c.f.Range(off, n)
}

// bareContent is a blob file without checksums. Its bytes are read unchecked;
// [Store.Scrub] compares them with the CRC-64 of the object.
type bareContent struct {
	f    blob.File
	size int64
}

func (c *bareContent) Close() error { return c.f.Close() }

func (c *bareContent) Range(off, n int64) (io.Reader, error) {
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

// sealedContent is an encrypted blob. Decryption authenticates every segment.
type sealedContent struct {
	r       *kms.Reader
	c       io.Closer
	damaged func(error)
}

func openSealed(stream io.ReaderAt, c io.Closer, p layout.Piece, e envelope, damaged func(error)) (object.Content, error) {
	r, err := kms.NewReader(stream, kms.CipherSize(p.Size), e.key, blobAAD(p.ID))
	if errors.Is(err, kms.ErrCorrupt) {
		damaged(err)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &sealedContent{r, c, damaged}, nil
}

func (c *sealedContent) Close() error { return c.c.Close() }

// Range decrypts the first segment at once, so that damage in it is an error
// before the first byte is sent.
func (c *sealedContent) Range(off, n int64) (io.Reader, error) {
	if !inRange(off, n, c.r.Size()) {
		return nil, errRange
	}
	r := c.r.Range(off, n)
	if n > 0 {
		if _, err := r.Read(nil); err != nil {
			return nil, c.failed(err)
		}
	}
	return &sealedReader{r, c}, nil
}

func (c *sealedContent) failed(err error) error {
	if errors.Is(err, kms.ErrCorrupt) {
		c.damaged(err)
	}
	return err
}

type sealedReader struct {
	r io.Reader
	c *sealedContent
}

func (r *sealedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	return n, r.c.failed(err)
}

func (r *sealedReader) WriteTo(w io.Writer) (int64, error) {
	n, err := r.r.(io.WriterTo).WriteTo(w)
	return n, r.c.failed(err)
}
