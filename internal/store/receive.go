package store

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"hash"
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

// receive makes a body of all of r, which must be what p says of it. It fails
// as PutObject does, and then nothing is left.
func (s *Store) receive(ctx context.Context, r io.Reader, p *object.Put, e envelope) (*body, digests, error) {
	b := s.newBody(p.Size, e)
	d, err := s.receiveInto(ctx, b, r, p)
	if err == nil {
		err = s.finish(b)
	}
	if err != nil {
		s.drop(b)
		return nil, digests{}, err
	}
	return b, d, nil
}

// receiveInto adds all of r to a body. The digests, and those that p wants, are
// of what is added.
func (s *Store) receiveInto(ctx context.Context, b *body, r io.Reader, p *object.Put) (digests, error) {
	if p.Size > object.MaxPartSize {
		return digests{}, object.ErrTooLarge
	}
	if err := s.room(p.Size); err != nil {
		return digests{}, err
	}
	in := &intake{r: ctxReader{ctx, r}, size: p.Size, md5: md5.New()}
	if p.SHA256 != nil {
		in.sha256 = sha256.New()
	}
	if err := ctx.Err(); err != nil {
		return digests{}, err
	}
	if err := s.receiveAll(b, in); err != nil {
		return digests{}, err
	}
	if err := in.check(p); err != nil {
		return digests{}, err
	}
	d := digests{n: in.n, crc64: in.crc64}
	in.md5.Sum(d.md5[:0])
	return d, nil
}

func (s *Store) receiveAll(b *body, in *intake) error {
	if b.file == nil {
		// What fits stays where it is read to.
		have := len(b.inline)
		room := (*b.head)[:min(len(*b.head), s.opts.InlineBytes+1)]
		n, err := in.read(room[have:])
		if err != nil {
			return err
		}
		b.inline = room[:have+n]
		b.size += int64(n)
		if in.end && len(b.inline) <= s.opts.InlineBytes {
			return nil
		}
		if err := s.spill(b); err != nil {
			return err
		}
	}
	return s.receiveRest(b, in)
}

// ring is how many buffers of a large body are between reading and hashing.
const ring = 3

// receiveRest reads what does not fit into memory. The cryptographic sums take
// as long as all the rest, so they are made at the same time.
func (s *Store) receiveRest(b *body, in *intake) error {
	free, full := make(chan *[]byte, ring), make(chan filled, ring)
	for range ring {
		free <- nil // taken from the pool when needed
	}
	summed := make(chan struct{})
	go func() {
		defer close(summed)
		for f := range full {
			in.sum((*f.buf)[:f.n])
			free <- f.buf
		}
	}()
	err := func() error {
		for {
			buf := <-free
			if buf == nil {
				buf = buffers.get()
			}
			n, err := in.fill(*buf)
			if err != nil || n == 0 {
				buffers.put(buf)
				return err
			}
			full <- filled{buf, n}
			// Both only read the buffer, and it is filled again after this.
			if err := s.write(b, (*buf)[:n]); err != nil {
				return err
			}
		}
	}()
	close(full)
	<-summed
	for len(free) > 0 {
		if buf := <-free; buf != nil {
			buffers.put(buf)
		}
	}
	return err
}

// filled is a buffer with n bytes in it.
type filled struct {
	buf *[]byte
	n   int
}

// intake reads a body, counts and digests it.
type intake struct {
	r      io.Reader
	size   int64 // announced; -1: unknown
	n      int64 // read
	end    bool
	crc64  uint64
	md5    hash.Hash
	sha256 hash.Hash // nil: not wanted
}

// read is fill and sum.
func (in *intake) read(buf []byte) (int, error) {
	n, err := in.fill(buf)
	if err == nil {
		in.sum(buf[:n])
	}
	return n, err
}

// fill fills buf as far as the body goes; 0 is its end.
func (in *intake) fill(buf []byte) (n int, err error) {
	for idle := 0; n < len(buf) && !in.end; {
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
		return 0, fmt.Errorf("%w: it goes on after %d bytes", object.ErrIncompleteBody, in.size)
	case in.end && in.size >= 0 && in.n < in.size:
		return 0, fmt.Errorf("%w: %d of %d bytes", object.ErrIncompleteBody, in.n, in.size)
	}
	in.crc64 = digest.UpdateCRC64(in.crc64, buf[:n])
	return n, nil
}

// sum adds p to the cryptographic sums. It may run beside fill.
func (in *intake) sum(p []byte) {
	in.md5.Write(p)
	if in.sha256 != nil {
		in.sha256.Write(p)
	}
}

// check compares the digests that p asks for.
func (in *intake) check(p *object.Put) error {
	if p.MD5 != nil && !bytes.Equal(p.MD5, in.md5.Sum(nil)) {
		return fmt.Errorf("%w: MD5", object.ErrBadDigest)
	}
	if p.SHA256 != nil && !bytes.Equal(p.SHA256, in.sha256.Sum(nil)) {
		return fmt.Errorf("%w: SHA-256", object.ErrBadDigest)
	}
	return nil
}
