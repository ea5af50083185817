package store

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
)

// inlineSize is the largest blob that is kept in the index, in bytes: there it
// shares the one fsync of the commit, in a file it needs three more.
const inlineSize = 4 << 10

// bufferSize is how much of a body is read, hashed and written at once.
const bufferSize = 256 << 10

var (
	buffers      = sync.Pool{New: func() any { return new([bufferSize]byte) }}
	smallBuffers = sync.Pool{New: func() any { return new([inlineSize + 1]byte) }}
)

var crcTable = crc64.MakeTable(crc64.ECMA)

// A body is what was received from a writer: digested, and its bytes either
// held in memory or durable in a file that only its intent knows. Exactly one
// of commit (by way of addTo and done) and drop ends it.
type body struct {
	size    int64
	md5     [16]byte
	crc64   uint64
	content content
	dataKey []byte // wrapped; nil if not encrypted

	inline *[inlineSize + 1]byte // for contentInline
	file   *blobWriter           // for contentFile
	intent *pebble.Batch         // that of file, being synced
}

// receive reads all of r, which must hold size bytes (-1: any number). It fails
// as PutObject does, and then nothing is left.
func (s *Store) receive(ctx context.Context, r io.Reader, p *object.Put) (_ *body, err error) {
	if p.Size > object.MaxPartSize {
		return nil, object.ErrTooLarge
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.unfinished.Add(1)
	b := &body{}
	defer func() {
		if err != nil {
			s.drop(b)
		}
	}()
	in := &intake{r: ctxReader{ctx, r}, size: p.Size, md5: md5.New()}
	if p.SHA256 != nil {
		in.sha256 = sha256.New()
	}
	head := smallBuffers.Get().(*[inlineSize + 1]byte)
	n, err := in.read(head[:])
	switch {
	case err == nil && n > inlineSize:
		err = s.receiveFile(b, in, head[:])
		smallBuffers.Put(head)
	case err == nil && n > 0:
		b.inline = head
		b.content.kind = contentInline
	default:
		smallBuffers.Put(head)
	}
	if err != nil {
		return nil, err
	}
	if err := in.check(p); err != nil {
		return nil, err
	}
	b.size, b.crc64 = in.n, in.crc64
	in.md5.Sum(b.md5[:0])
	if b.content.kind == contentInline {
		if b.content.id, err = s.nextSeq(); err != nil {
			return nil, err
		}
	}
	if b.file == nil {
		return b, nil
	}
	if err := b.file.sync(); err != nil {
		return nil, fmt.Errorf("store a blob: %w", err)
	}
	if err := b.intent.SyncWait(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if err := b.file.finish(); err != nil {
		return nil, fmt.Errorf("store a blob: %w", err)
	}
	return b, nil
}

// receiveFile moves the body, which begins with head, into a blob file.
func (s *Store) receiveFile(b *body, in *intake, head []byte) error {
	id, err := s.nextSeq()
	if err != nil {
		return err
	}
	// The intent is synced while the body comes in.
	intent := s.db.NewBatch()
	if err := intent.Set(idKey(spaceIntents, id), nil, nil); err != nil {
		return err
	}
	if err := s.db.ApplyNoSyncWait(intent, pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	b.intent = intent
	b.content = content{kind: contentFile, id: id}
	if b.file, err = s.blobs.create(id); err != nil {
		return fmt.Errorf("store a blob: %w", err)
	}
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for n := copy(buf[:], head); ; {
		got, err := in.read(buf[n:])
		if err != nil {
			return err
		}
		if n += got; n == 0 {
			return nil
		}
		if _, err := b.file.Write(buf[:n]); err != nil {
			return fmt.Errorf("store a blob: %w", err)
		}
		n = 0
	}
}

// addTo puts what makes the body's bytes a part of the index into the batch.
func (b *body) addTo(batch *pebble.Batch) error {
	switch b.content.kind {
	case contentInline:
		return batch.Set(idKey(spaceData, b.content.id), b.inline[:b.size], nil)
	case contentFile:
		return batch.Delete(idKey(spaceIntents, b.content.id), nil)
	}
	return nil
}

// done releases what a body holds once it is committed.
func (s *Store) done(b *body) {
	if b.inline != nil {
		smallBuffers.Put(b.inline)
		b.inline = nil
	}
	if b.intent != nil {
		b.intent.Close()
		b.intent = nil
	}
	b.file = nil
	s.unfinished.Done()
}

// drop removes a body that is not going to be committed.
func (s *Store) drop(b *body) {
	if b.file != nil {
		b.file.abort()
	}
	if b.intent != nil {
		if err := b.intent.SyncWait(); err == nil {
			_ = s.db.Delete(idKey(spaceIntents, b.content.id), pebble.NoSync)
		}
	}
	s.done(b)
}

// intake reads a body, counts and digests it.
type intake struct {
	r      io.Reader
	size   int64 // announced; -1: unknown
	n      int64 // read
	end    bool
	crc64  uint64
	md5    hash.Hash // nil: not wanted
	sha256 hash.Hash // nil: not wanted
}

// read fills buf as far as the body goes; 0 is its end.
func (in *intake) read(buf []byte) (n int, err error) {
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
	in.crc64 = crc64.Update(in.crc64, crcTable, buf[:n])
	if in.md5 != nil {
		in.md5.Write(buf[:n])
	}
	if in.sha256 != nil {
		in.sha256.Write(buf[:n])
	}
	return n, nil
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
