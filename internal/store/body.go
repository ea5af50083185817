package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/blob"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// maxInline is the largest blob that may be kept in the index, in bytes. Such
// blobs are written in the order of their keys, so compactions move their tables
// without rewriting them. Measured on a disk whose fsync takes 60 µs: an object
// of 64 KiB takes 0.35 ms in the index, 2 ms in a file.
const maxInline = 64 << 10

// tinySize is enough for most small bodies, in bytes.
const tinySize = 4 << 10

// bufferSize is how much of a body is copied at once.
const bufferSize = 256 << 10

var (
	buffers     = newBuffers(bufferSize)
	inlineHeads = newBuffers(maxInline + 1) // one more than fits, to see whether there is more
	tinyHeads   = newBuffers(tinySize + 1)
)

// bufferPool keeps buffers of one size.
type bufferPool struct{ p sync.Pool }

func newBuffers(size int) *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { return new(make([]byte, size)) }}}
}

func (p *bufferPool) get() *[]byte  { return p.p.Get().(*[]byte) }
func (p *bufferPool) put(b *[]byte) { p.p.Put(b) }

// headPool returns the pool for the beginning of a body of an announced size.
func headPool(size int64) *bufferPool {
	if size >= 0 && size <= tinySize {
		return tinyHeads
	}
	return inlineHeads
}

// A body is the bytes of one blob being received: in memory, or in a file that only its intent
// names. It is written, then finished, then added to the batch of a change. It ends with exactly
// one call: of done when the batch is committed, else of drop.
type body struct {
	s        *Store
	size     int64 // without encryption
	content  layout.Content
	envelope envelope
	uncached bool // it is not expected to be read soon

	inline []byte         // the bytes while there is no file; lies in head
	head   *[]byte        // from pool
	pool   *bufferPool    // of head
	file   *blob.Writer   // of content in a file
	sealed io.WriteCloser // encrypts into file; nil if it is not encrypted
	intent *pebble.Batch  // that of file, being synced
}

// newBody begins a body of an announced size; -1 is unknown.
func (s *Store) newBody(size int64, e envelope) *body {
	s.unfinished.Add(1)
	b := &body{s: s, pool: headPool(size), envelope: e}
	b.head = b.pool.get()
	b.inline = (*b.head)[:0]
	return b
}

// receive reads all of r, which must match p, into a finished body. It fails as PutObject does;
// then nothing remains.
func (s *Store) receive(ctx context.Context, r io.Reader, p *object.Put, e envelope) (*body, digests, error) {
	b := s.newBody(p.Size, e)
	d, err := b.receive(ctx, r, p)
	if err == nil {
		err = b.finish()
	}
	if err != nil {
		b.drop()
		return nil, digests{}, err
	}
	return b, d, nil
}

// Write implements io.Writer. It does not change or keep p.
func (b *body) Write(p []byte) (int, error) {
	if b.file == nil {
		if n := len(b.inline) + len(p); n <= b.s.opts.InlineBytes && n <= cap(b.inline) {
			b.inline = append(b.inline, p...)
			b.size += int64(len(p))
			return len(p), nil
		}
		if err := b.spill(); err != nil {
			return 0, err
		}
	}
	if b.size+int64(len(p)) > object.MaxPartSize {
		return 0, object.ErrTooLarge
	}
	return b.writeFile(p)
}

func (b *body) writeFile(p []byte) (int, error) {
	w := io.Writer(b.file)
	if b.sealed != nil {
		w = b.sealed
	}
	n, err := w.Write(p)
	b.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("store a blob: %w", err)
	}
	return n, nil
}

// readHead reads the beginning of a body into a buffer, which keeps the body if all of it fits.
func (b *body) readHead(in *intake) (whole bool, err error) {
	have := len(b.inline)
	room := (*b.head)[:min(len(*b.head), b.s.opts.InlineBytes+1)]
	n, err := in.read(room[have:])
	if err != nil {
		return false, err
	}
	b.inline = room[:have+n]
	b.size += int64(n)
	if in.end && len(b.inline) <= b.s.opts.InlineBytes {
		return true, nil
	}
	return false, b.spill()
}

// spill moves the bytes received so far into a file.
func (b *body) spill() error {
	if err := b.s.blobs.CheckSpace(0); err != nil {
		return err
	}
	if err := b.recordIntent(); err != nil {
		return err
	}
	// The intent is synced while the body is received.
	var err error
	if b.file, err = b.s.blobs.Create(b.content.ID, b.uncached); err != nil {
		return fmt.Errorf("store a blob: %w", err)
	}
	if b.envelope.key != nil {
		if b.sealed, err = kms.NewWriter(b.file, b.envelope.key, blobAAD(b.content.ID)); err != nil {
			return fmt.Errorf("store a blob: %w", err)
		}
	}
	head := b.inline
	b.inline, b.size = nil, 0
	if len(head) == 0 {
		return nil
	}
	_, err = b.writeFile(head)
	return err
}

// recordIntent creates the file of the content and records its intent. The file may get its name once the
// intent is synced.
func (b *body) recordIntent() error {
	b.s.intents.RLock()
	defer b.s.intents.RUnlock()
	id, err := b.s.nextSeq()
	if err != nil {
		return err
	}
	intent := b.s.db.NewBatch()
	if err := intent.Set(layout.IDKey(layout.SpaceIntents, id), nil, nil); err != nil {
		return errors.Join(err, intent.Close())
	}
	if err := b.s.db.ApplyNoSyncWait(intent, pebble.Sync); err != nil {
		return fmt.Errorf("index: %w", errors.Join(err, intent.Close()))
	}
	b.intent, b.content = intent, layout.Content{Kind: layout.ContentFile, ID: id}
	return nil
}

// finish makes a complete body ready to be committed.
func (b *body) finish() error {
	if b.file == nil {
		return b.finishInline()
	}
	if b.sealed != nil {
		if err := b.sealed.Close(); err != nil {
			return fmt.Errorf("store a blob: %w", err)
		}
	}
	if err := b.file.Sync(); err != nil {
		return fmt.Errorf("store a blob: %w", err)
	}
	if err := b.intent.SyncWait(); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if err := b.file.Finish(); err != nil {
		return fmt.Errorf("store a blob: %w", err)
	}
	return nil
}

func (b *body) finishInline() error {
	if b.size == 0 {
		return nil
	}
	id, err := b.s.nextSeq()
	if err != nil {
		return err
	}
	b.content = layout.Content{Kind: layout.ContentInline, ID: id}
	if b.envelope.key == nil {
		return nil
	}
	var stream bytes.Buffer
	w, err := kms.NewWriter(&stream, b.envelope.key, blobAAD(id))
	if err != nil {
		return err
	}
	if _, err := w.Write(b.inline); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	b.inline = stream.Bytes()
	return nil
}

// addTo adds to the batch the keys that make the bytes part of the index.
func (b *body) addTo(batch *pebble.Batch) error {
	switch b.content.Kind {
	case layout.ContentInline:
		return batch.Set(layout.IDKey(layout.SpaceData, b.content.ID), b.inline, nil)
	case layout.ContentFile, layout.ContentBare:
		return batch.Delete(layout.IDKey(layout.SpaceIntents, b.content.ID), nil)
	}
	return nil
}

// end ends a body that was added to the batch of a change; err is what the
// change returned.
func (b *body) end(err error) {
	if err == nil || errors.Is(err, errUncertain) {
		b.done()
	} else {
		b.drop()
	}
}

// done releases what a committed body holds.
func (b *body) done() {
	if b.envelope.key != nil {
		clear(*b.head) // it held bytes that must be on disk only in encrypted form
	}
	b.pool.put(b.head)
	b.head, b.inline = nil, nil
	if b.intent != nil {
		b.intent.Close()
		b.intent = nil
	}
	b.file, b.sealed = nil, nil
	b.s.unfinished.Done()
}

// drop removes a body that will not be committed.
func (b *body) drop() {
	named := false
	if b.file != nil {
		b.file.Abort()
		named = b.file.Named()
	}
	if b.intent != nil && b.intent.SyncWait() == nil {
		if named {
			b.s.reap(layout.SpaceIntents, b.content.ID)
		} else {
			_ = b.s.db.Delete(layout.IDKey(layout.SpaceIntents, b.content.ID), pebble.NoSync) // otherwise the next start sweeps it
		}
	}
	b.done()
}
