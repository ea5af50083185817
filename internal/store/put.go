package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/digest"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// PutObject implements ossapi.Objects.
func (s *Store) PutObject(ctx context.Context, by object.Origin, p object.Put, r io.Reader) (object.Info, error) {
	b, err := s.bucket(p.Bucket)
	if err != nil {
		return object.Info{}, err
	}
	state := b.state.Load()
	w := &newVersion{key: p.Key, forbidOverwrite: p.ForbidOverwrite}
	// it is checked again after the body; this check spares receiving a body that is refused
	if err := s.checkOverwrite(b, w, state); err != nil {
		return object.Info{}, err
	}
	e, err := s.fillAttributes(ctx, &w.info, &p.Attributes, state)
	if err != nil {
		return object.Info{}, err
	}
	var d digests
	if w.body, d, err = s.receive(ctx, r, &p, e); err != nil {
		return object.Info{}, err
	}
	setDigests(&w.info, d)
	return s.commitVersion(by, b, w)
}

// fillAttributes fills in the attributes of the writer, and the bucket's defaults for the others. It
// returns the envelope for its bytes.
func (s *Store) fillAttributes(ctx context.Context, info *object.Info, a *object.Attributes, state *object.Bucket) (envelope, error) {
	info.StorageClass = state.StorageClass
	if a.StorageClass != nil {
		info.StorageClass = *a.StorageClass
	}
	info.Encryption = state.Encryption
	if a.Encryption != nil {
		info.Encryption = *a.Encryption
	}
	info.ACL = a.ACL
	info.Headers = a.Headers
	info.Headers.Meta = slices.Clone(a.Headers.Meta)
	info.Tags = slices.Clone(a.Tags)
	if info.Encryption.Algorithm == "" {
		return envelope{}, nil
	}
	return s.seal(ctx, state.Owner, &info.Encryption)
}

// setDigests sets the fields of info for content that was put as a whole.
func setDigests(info *object.Info, d digests) {
	info.CRC64, info.ETag, info.MD5 = d.crc64, stocktake.ETag{Sum: d.md5}, slices.Clone(d.md5[:])
}

// PutSymlink implements ossapi.Objects. The link has no bytes; its ETag is derived from its target.
func (s *Store) PutSymlink(ctx context.Context, by object.Origin, p object.Put, target string) (object.Info, error) {
	b, err := s.bucket(p.Bucket)
	if err != nil {
		return object.Info{}, err
	}
	w := &newVersion{key: p.Key, forbidOverwrite: p.ForbidOverwrite}
	// There is nothing to encrypt.
	p.Encryption = &object.Encryption{}
	e, err := s.fillAttributes(ctx, &w.info, &p.Attributes, b.state.Load())
	if err != nil {
		return object.Info{}, err
	}
	w.info.Type, w.info.Symlink = stocktake.Symlink, target
	w.info.ETag = stocktake.ETag{Sum: textSum(target)}
	w.body = s.newBody(0, e)
	return s.commitVersion(by, b, w)
}

// A newVersion is a version of a key before its commit.
type newVersion struct {
	key             string
	body            *body
	forbidOverwrite bool // except in a versioned bucket
	exclusive       bool // even in a versioned bucket
	mustBeNew       bool // it is the first append; a concurrent one may have won
	report          bool
	info            object.Info // the attributes that do not come from the body: CRC, ETag, type ...
}

// commitVersion commits w as the current version of its key. It ends w.body in any case.
func (s *Store) commitVersion(by object.Origin, b *bucket, w *newVersion) (made object.Info, err error) {
	defer func() { w.body.end(err) }()
	if err := checkKey(w.key); err != nil {
		return object.Info{}, err
	}
	err = s.change(by, b, w.key, func(c *change, state *object.Bucket) error {
		if err := s.checkOverwrite(b, w, state); err != nil {
			return err
		}
		r := &layout.Row{Info: w.info, Report: w.report, Content: w.body.content, DataKey: w.body.envelope.wrapped}
		r.Info.Key, r.Info.Size = w.key, w.body.size
		if err := c.replace(r, state); err != nil {
			return err
		}
		made = r.Public(state.Versioning != object.Unversioned, true)
		return w.body.addTo(c.batch)
	})
	if err != nil {
		return object.Info{}, err
	}
	return made, nil
}

// checkOverwrite refuses w if it may not replace the current version.
func (s *Store) checkOverwrite(b *bucket, w *newVersion, state *object.Bucket) error {
	if !w.exclusive && !w.mustBeNew && (!w.forbidOverwrite || state.Versioning != object.Unversioned) {
		return nil
	}
	r, err := newest(s.db, b.id, w.key)
	if err != nil {
		return err
	}
	if r == nil || r.Info.IsDeleteMarker {
		return nil
	}
	if w.mustBeNew {
		return cmp.Or(appendable(r, 0), error(&object.PositionError{Length: r.Info.Size}))
	}
	return object.ErrFileExists
}

// checkKey refuses keys that the index cannot hold. Callers check the other rules for keys from
// strangers.
func checkKey(key string) error {
	if len(key) == 0 || len(key) > stocktake.MaxKeyLength {
		return fmt.Errorf("the key has %d bytes", len(key))
	}
	return nil
}

// digests are the digests of the bytes that a writer sent.
type digests struct {
	n     int64 // bytes
	crc64 uint64
	md5   [16]byte
}

// receive adds all of r, which must match p. The digests, and those in p, are those of the added
// bytes.
func (b *body) receive(ctx context.Context, r io.Reader, p *object.Put) (digests, error) {
	if p.Size > object.MaxPartSize {
		return digests{}, object.ErrTooLarge
	}
	if err := b.s.mayWrite(p.Size); err != nil {
		return digests{}, err
	}
	in := &intake{ctx: ctx, r: r, size: p.Size, sums: digest.Sums{MD5Only: p.SHA256 == nil}}
	if err := ctx.Err(); err != nil {
		return digests{}, err
	}
	whole, err := false, error(nil)
	if b.file == nil {
		whole, err = b.readHead(in)
	}
	if err == nil && !whole {
		err = in.copyTo(b)
	}
	if err != nil {
		return digests{}, err
	}
	md5Sum, sha256Sum := in.sums.Sum()
	if p.MD5 != nil && !bytes.Equal(p.MD5, md5Sum[:]) {
		return digests{}, fmt.Errorf("%w: MD5", object.ErrBadDigest)
	}
	if p.SHA256 != nil && !bytes.Equal(p.SHA256, sha256Sum[:]) {
		return digests{}, fmt.Errorf("%w: SHA-256", object.ErrBadDigest)
	}
	return digests{n: in.n, crc64: in.crc64, md5: md5Sum}, nil
}

// intake reads the bytes that a writer sends, and counts and digests them.
type intake struct {
	ctx   context.Context
	r     io.Reader
	size  int64 // announced; -1: unknown
	n     int64 // read
	end   bool
	crc64 uint64
	sums  digest.Sums
}

// bodyPieces is how many pieces of a body are between reading and hashing.
const bodyPieces = 3

// copyTo copies the rest to w. The cryptographic sums take as long as everything
// else, so they are computed at the same time, together with those of another
// body.
func (in *intake) copyTo(w io.Writer) error {
	stream := digest.Shared.Stream(&in.sums, bodyPieces)
	defer stream.Close()
	for {
		piece := stream.Next()
		n, err := in.fill(piece)
		if err != nil || n == 0 {
			return err
		}
		stream.Put(n)
		if _, err := w.Write(piece[:n]); err != nil { // which only reads it, as the sums do
			return err
		}
	}
}

// read fills buf and adds what it read to the sums.
func (in *intake) read(buf []byte) (int, error) {
	n, err := in.fill(buf)
	if err == nil {
		in.sums.Write(buf[:n])
	}
	return n, err
}

// fill fills buf as far as the body goes; 0 is its end. It ends with the
// context's error soon after the context has ended.
func (in *intake) fill(buf []byte) (n int, err error) {
	for idle := 0; n < len(buf) && !in.end; {
		if err := in.ctx.Err(); err != nil {
			return 0, err
		}
		got, err := in.r.Read(buf[n:])
		n += got
		if idle++; got > 0 {
			idle = 0
		}
		switch {
		case err == io.EOF:
			in.end = true
		case err == io.ErrUnexpectedEOF: // net/http's error when a client disconnects
			return 0, fmt.Errorf("%w: %w", object.ErrIncompleteBody, err)
		case err != nil:
			return 0, err
		case idle == 100:
			return 0, io.ErrNoProgress
		}
	}
	in.n += int64(n)
	switch {
	case in.n > object.MaxPartSize:
		return 0, object.ErrTooLarge
	case in.size >= 0 && in.n > in.size:
		return 0, fmt.Errorf("%w: it continues after %d bytes", object.ErrIncompleteBody, in.size)
	case in.end && in.size >= 0 && in.n < in.size:
		return 0, fmt.Errorf("%w: %d of %d bytes", object.ErrIncompleteBody, in.n, in.size)
	}
	in.crc64 = digest.UpdateCRC64(in.crc64, buf[:n])
	return n, nil
}
