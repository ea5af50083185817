package store

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/stocktake/stocktake/internal/digest"
	"github.com/stocktake/stocktake/internal/object"
)

// digests are those of what a writer sent.
type digests struct {
	n     int64 // bytes
	crc64 uint64
	md5   [16]byte
}

// receive adds all of r, which must be what p says of it. The digests, and those
// that p wants, are of what is added.
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

// intake reads what a writer sends, counts and digests it.
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
		case err == io.ErrUnexpectedEOF: // what net/http says when a client goes away
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
