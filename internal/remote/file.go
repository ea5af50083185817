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

// file is an object that is being written to a bucket.
type file struct {
	d      *destination
	ctx    context.Context // for Write, which has no context; it does not end
	object Object

	buf             bytes.Buffer // the current part
	upload          string       // id of the multipart upload; empty: not begun
	etags           []string     // of the parts
	size            int64        // of the parts, in bytes
	err             error        // of the failed part
	closed          bool
	skipExistsCheck bool // see SkipExistsCheck
}

func (f *file) Write(p []byte) (n int, err error) {
	if f.closed {
		return 0, fs.ErrClosed
	}
	for len(p) > 0 && f.err == nil {
		if f.buf.Len() == f.d.s.partSize { // send a part only if more bytes follow
			f.err = f.part(f.ctx)
			continue
		}
		m := min(len(p), f.d.s.partSize-f.buf.Len())
		f.buf.Write(p[:m])
		p, n = p[m:], n+m
	}
	return n, f.err
}

// part uploads the current part.
func (f *file) part(ctx context.Context) (err error) {
	if f.upload == "" {
		if f.upload, err = f.d.s.dialect.InitiateUpload(ctx, f.object); err != nil {
			return f.withKey(err)
		}
	}
	content := f.buf.Bytes()
	err = send(ctx, content, func(ctx context.Context, r io.ReadSeeker) error {
		etag, err := f.d.s.dialect.UploadPart(ctx, f.object, f.upload, len(f.etags)+1, r, sumOf(content))
		f.etags = append(f.etags, etag)
		return err
	})
	if err != nil {
		return f.withKey(err)
	}
	f.size += int64(len(content))
	f.buf.Reset()
	return nil
}

// sumOf returns the MD5 of content in the form of the header Content-MD5.
func sumOf(content []byte) string {
	sum := md5.Sum(content)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (f *file) withKey(err error) error { return f.d.withKey(f.object.Key, err) }

// attempts is how often the last request of a file is made if it is undecided,
// because it conflicts with other incomplete writes.
const attempts = 5

// Commit implements [engine.File].
func (f *file) Commit(ctx context.Context, sum [16]byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.closed {
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
			err = f.d.s.dialect.CompleteUpload(ctx, f.object, f.upload, f.etags)
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
		return f.withKey(err)
	}
	f.closed, f.upload = true, ""
	return nil
}

// exists returns fs.ErrExist if the file must be exclusive and the object exists.
// The write is conditional, too, but some services ignore the condition.
func (f *file) exists(ctx context.Context) error {
	if !f.object.Exclusive || f.skipExistsCheck {
		return nil
	}
	there, err := f.d.s.dialect.Head(ctx, f.object.Bucket, f.object.Key)
	if err == nil && there {
		return fmt.Errorf("there is an object: %w", fs.ErrExist)
	}
	return err
}

// An ExistsChecker is a file that is written by PUT after a check that no such object
// exists.
type ExistsChecker interface {
	// SkipExistsCheck disables the check, to find out what the store does.
	SkipExistsCheck()
}

var _ ExistsChecker = (*file)(nil)

// SkipExistsCheck disables the check for an existing object before an exclusive write,
// to see whether the service itself respects the condition.
func (f *file) SkipExistsCheck() { f.skipExistsCheck = true }

// Abort implements [engine.File].
func (f *file) Abort() error {
	f.closed = true
	if f.upload == "" {
		return nil
	}
	err := f.d.s.dialect.AbortUpload(f.ctx, f.object, f.upload)
	f.upload = ""
	return f.withKey(err)
}
