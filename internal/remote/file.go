package remote

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// file is an object on its way into a bucket.
type file struct {
	d      *destination
	ctx    context.Context // of Write, which has none; it does not end
	object Object

	buf    bytes.Buffer // the part at hand
	upload string       // id of the multipart upload; empty: none is begun
	etags  []string     // of the parts
	size   int64        // of the parts, in bytes
	err    error        // of the part that failed
	ended  bool
	blind  bool // see WithoutLook
}

func (f *file) Write(p []byte) (n int, err error) {
	if f.ended {
		return 0, fs.ErrClosed
	}
	for len(p) > 0 && f.err == nil {
		if f.buf.Len() == f.d.s.partSize { // only what is followed by more is a part
			f.err = f.part(f.ctx)
			continue
		}
		m := min(len(p), f.d.s.partSize-f.buf.Len())
		f.buf.Write(p[:m])
		p, n = p[m:], n+m
	}
	return n, f.err
}

// part uploads the part at hand.
func (f *file) part(ctx context.Context) (err error) {
	if f.upload == "" {
		if f.upload, err = f.d.s.dialect.Begin(ctx, f.object); err != nil {
			return f.about(err)
		}
	}
	content := f.buf.Bytes()
	err = send(ctx, content, func(ctx context.Context, r io.ReadSeeker) error {
		etag, err := f.d.s.dialect.Part(ctx, f.object, f.upload, len(f.etags)+1, r, sumOf(content))
		f.etags = append(f.etags, etag)
		return err
	})
	if err != nil {
		return f.about(err)
	}
	f.size += int64(len(content))
	f.buf.Reset()
	return nil
}

// sumOf returns the MD5 of content as the header Content-MD5 has it.
func sumOf(content []byte) string {
	sum := md5.Sum(content)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (f *file) about(err error) error { return f.d.about(f.object.Key, err) }

// attempts is how often the last request of a file is made that is not decided:
// it lost against other writes which are not complete either.
const attempts = 5

// Commit implements [engine.File].
func (f *file) Commit(ctx context.Context, sum [16]byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.ended {
		return fs.ErrClosed
	}
	if f.err == nil && f.upload != "" {
		f.err = f.part(ctx)
	}
	if f.err != nil {
		return f.err
	}
	var err error
	for range attempts {
		if err = f.exists(ctx); err != nil {
			break
		}
		if f.upload != "" {
			err = f.d.s.dialect.Finish(ctx, f.object, f.upload, f.etags)
		} else {
			content := f.buf.Bytes()
			err = send(ctx, content, func(ctx context.Context, r io.ReadSeeker) error {
				return f.d.s.dialect.Put(ctx, f.object, r, base64.StdEncoding.EncodeToString(sum[:]))
			})
		}
		if !errors.Is(err, ErrConflict) {
			break
		}
	}
	if err != nil {
		return f.about(err)
	}
	f.ended, f.upload = true, ""
	return nil
}

// exists returns fs.ErrExist if the file must be exclusive and there is an object.
// The write is conditional as well; but there are services that ignore that.
func (f *file) exists(ctx context.Context) error {
	if !f.object.Exclusive || f.blind {
		return nil
	}
	there, err := f.d.s.dialect.Stat(ctx, f.object.Bucket, f.object.Key)
	if err == nil && there {
		return fmt.Errorf("there is an object: %w", fs.ErrExist)
	}
	return err
}

// WithoutLook leaves it to the service alone that an exclusive file does not replace
// an object, to see whether it keeps to that.
func (f *file) WithoutLook() { f.blind = true }

// Abort implements [engine.File].
func (f *file) Abort() error {
	f.ended = true
	if f.upload == "" {
		return nil
	}
	err := f.d.s.dialect.Abort(f.ctx, f.object, f.upload)
	f.upload = ""
	return f.about(err)
}
