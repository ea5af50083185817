package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/stocktake/stocktake/internal/object"
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
func (s *Store) open(_ context.Context, v object.Version) (*row, object.Info, object.Content, error) {
	b, err := s.bucket(v.Bucket)
	if err != nil {
		return nil, object.Info{}, nil, err
	}
	for last := uint64(0); ; {
		r, info, err := find(s.db, b, v)
		if err != nil {
			return nil, object.Info{}, nil, err
		}
		c, err := s.openContent(r)
		if err == nil {
			return r, info, c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, object.Info{}, nil, err
		}
		if r.content.id == last {
			return nil, object.Info{}, nil, fmt.Errorf("the content of %s is lost: %w", v.Key, err)
		}
		last = r.content.id
	}
}

// openContent opens the bytes of r; the error is fs.ErrNotExist if they are
// gone.
func (s *Store) openContent(r *row) (object.Content, error) {
	switch r.content.kind {
	case contentEmpty:
		return memoryContent(nil), nil
	case contentInline:
		data, err := s.get(idKey(spaceData, r.content.id))
		if err == nil && data == nil {
			err = fs.ErrNotExist
		}
		return memoryContent(data), err
	case contentFile:
		f, err := s.blobs.open(r.content.id)
		if err != nil {
			return nil, err
		}
		return &fileContent{f, r.info.Size}, nil
	case contentMissing:
		return nil, errNoContent
	}
	return nil, fmt.Errorf("%w: content of kind %d", errRow, r.content.kind)
}

var errRange = errors.New("range outside of the content")

// memoryContent is a small blob.
type memoryContent []byte

func (c memoryContent) Close() error { return nil }

func (c memoryContent) Range(off, n int64) (io.Reader, error) {
	if off < 0 || n < 0 || off > int64(len(c)) || n > int64(len(c))-off {
		return nil, errRange
	}
	return bytes.NewReader(c[off : off+n]), nil
}

// fileContent is a blob file.
type fileContent struct {
	f    blobFile
	size int64
}

func (c *fileContent) Close() error { return c.f.Close() }

func (c *fileContent) Range(off, n int64) (io.Reader, error) {
	if off < 0 || n < 0 || off > c.size || n > c.size-off {
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
