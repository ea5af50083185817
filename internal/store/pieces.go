package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// getPieces lists the pieces of map id; the error is fs.ErrNotExist if it is
// gone.
func getPieces(from getter, id uint64) ([]layout.Piece, error) {
	value, err := get(from, layout.IDKey(layout.SpaceMaps, id))
	switch {
	case err != nil:
		return nil, err
	case value == nil:
		return nil, fs.ErrNotExist
	}
	return layout.DecodePieces(id, value)
}

// pins delay the removal of files that a reader may still open, since content of many pieces is
// opened piece by piece. The key is the sequence number of the version.
type pins struct {
	mu  sync.Mutex
	pin map[uint64]*pin
}

type pin struct {
	readers int
	removed []uint64 // files to remove when the last reader closes
}

func (p *pins) hold(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pin == nil {
		p.pin = map[uint64]*pin{}
	}
	if p.pin[seq] == nil {
		p.pin[seq] = &pin{}
	}
	p.pin[seq].readers++
}

// release returns the files to remove now.
func (p *pins) release(seq uint64) []uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	pin := p.pin[seq]
	if pin.readers--; pin.readers > 0 {
		return nil
	}
	delete(p.pin, seq)
	return pin.removed
}

// defers takes over the removal of files if the version is held.
func (p *pins) defers(seq uint64, files []uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pin := p.pin[seq]
	if pin != nil {
		pin.removed = append(pin.removed, files...)
	}
	return pin != nil
}

// piecedContent is content of several blobs. It has at most one file open.
type piecedContent struct {
	s       *Store
	seq     uint64 // held
	pieces  []layout.Piece
	size    int64
	env     envelope
	damaged func(error)
	index   *pebble.Snapshot // for the pieces that are in the index; nil if there are none
	reader  *piecesReader    // the last one made
}

// openPieces opens content that has a map. The version is held before the map
// is read: a change that removes it sees the hold.
func (s *Store) openPieces(r *layout.Row, e envelope, damaged func(error)) (_ object.Content, err error) {
	s.pins.hold(r.Seq)
	c := &piecedContent{s: s, seq: r.Seq, size: r.Info.Size, env: e, damaged: damaged}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	index := s.db.NewSnapshot()
	c.index = index
	if c.pieces, err = getPieces(index, r.Content.ID); err != nil {
		return nil, err
	}
	inline, size := false, int64(0)
	for _, p := range c.pieces {
		inline = inline || p.Kind == layout.ContentInline
		size += p.Size
	}
	if size != c.size {
		return nil, fmt.Errorf("%w: map %x has %d bytes, its version has %d", layout.ErrMalformed, r.Content.ID, size, c.size)
	}
	if !inline {
		c.index = nil
		err = index.Close()
	}
	return c, err
}

func (c *piecedContent) Close() error {
	var err error
	if c.reader != nil {
		err = c.reader.close()
	}
	if c.index != nil {
		err = errors.Join(err, c.index.Close())
		c.index = nil
	}
	if c.s != nil {
		c.s.reap(layout.SpaceRemovals, c.s.pins.release(c.seq)...)
		c.s = nil
	}
	return err
}

func (c *piecedContent) Range(off, n int64) (io.Reader, error) {
	if !inRange(off, n, c.size) {
		return nil, errRange
	}
	if c.reader != nil {
		if err := c.reader.close(); err != nil {
			return nil, err
		}
	}
	next := 0
	for next < len(c.pieces) && off >= c.pieces[next].Size {
		off -= c.pieces[next].Size
		next++
	}
	c.reader = &piecesReader{c: c, next: next, skip: off, left: n}
	if n > 0 { // damage at the beginning is an error before the first byte
		if err := c.reader.open(); err != nil {
			return nil, err
		}
	}
	return c.reader, nil
}

// piecesReader reads a range of several blobs.
type piecesReader struct {
	c    *piecedContent
	next int   // piece to open
	skip int64 // bytes of it before the range
	left int64 // bytes to read

	blob object.Content // open; nil between pieces
	r    io.Reader      // the rest of blob
}

func (r *piecesReader) Read(p []byte) (int, error) {
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.blob == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.r.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		if err == io.EOF {
			err = r.close()
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// open opens the next piece.
func (r *piecesReader) open() error {
	if r.next == len(r.c.pieces) {
		return io.ErrUnexpectedEOF
	}
	p := r.c.pieces[r.next]
	var from getter = r.c.s.db
	if r.c.index != nil {
		from = r.c.index
	}
	blob, err := r.c.s.openBlob(from, p, r.c.env, r.c.damaged)
	if err != nil {
		return fmt.Errorf("piece %d: %w", r.next, err)
	}
	r.r, err = blob.Range(r.skip, p.Size-r.skip)
	if err != nil {
		return errors.Join(err, blob.Close())
	}
	r.blob, r.skip = blob, 0
	r.next++
	return nil
}

func (r *piecesReader) close() error {
	if r.blob == nil {
		return nil
	}
	blob := r.blob
	r.blob = nil
	return blob.Close()
}
