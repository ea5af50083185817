package blob

import (
	"errors"
	"fmt"
	"io"
)

// A Reader reads a blob that has checksums, and checks each byte before it returns it: the error is
// ErrDamaged if the byte differs from the written one. It must not be used by several goroutines at
// once.
type Reader struct {
	f    File
	id   uint64
	size int64 // stored bytes

	// OnDamage is called with each ErrDamaged that a method returns; nil: no call.
	OnDamage func(error)

	chunk *chunk // from smallChunks; nil before the first read and after Close
}

// OpenChecked opens a finished blob of size stored bytes that has checksums. The
// error is fs.ErrNotExist if the blob does not exist.
func (d *Dir) OpenChecked(id uint64, size int64) (*Reader, error) {
	f, err := d.Open(id)
	if err != nil {
		return nil, err
	}
	return &Reader{f: f, id: id, size: size}, nil
}

// Close closes the file. Readers returned by Range must not be used afterwards.
func (r *Reader) Close() error {
	if r.chunk != nil {
		r.chunk.put()
		r.chunk = nil
	}
	return r.f.Close()
}

// load makes r's chunk contain off. Bytes at or after end are not needed.
func (r *Reader) load(off, end int64) error {
	if r.chunk == nil {
		r.chunk = smallChunks.get()
	}
	if c := r.chunk; off >= c.at && off < c.at+int64(len(c.data)) {
		return nil
	}
	return r.fill(r.chunk, off, end)
}

// fill reads and checks the blocks from the one that contains off to the one before
// end, as many as fit into c. It may run while another chunk of the same Reader is
// used.
func (r *Reader) fill(c *chunk, off, end int64) error {
	c.data = nil
	block := off / BlockSize
	c.at = block * BlockSize
	blocks := min(c.room(), (end-c.at+BlockSize-1)/BlockSize)
	n := min(blocks*BlockSize, r.size-c.at)
	var list []byte
	if c.at == 0 && n == r.size { // the checksums follow
		list = c.buf[n : n+blocks*sumSize]
		if err := r.read(c.buf[:n+blocks*sumSize], 0); err != nil {
			return err
		}
	} else {
		list = c.buf[c.room()*BlockSize:][:blocks*sumSize]
		if err := r.read(c.buf[:n], c.at); err != nil {
			return err
		}
		if err := r.read(list, r.size+block*sumSize); err != nil {
			return err
		}
	}
	if err := check(r.id, block, c.buf[:n], list); err != nil {
		return r.damaged(err)
	}
	c.data = c.buf[:n]
	return nil
}

// read fills p from the file. A file that is too short, or that the disk cannot
// read, is damaged.
func (r *Reader) read(p []byte, off int64) error {
	n, err := r.f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the file is too short")
	}
	return r.damaged(fmt.Errorf("%w: blob %x, from byte %d: %w", ErrDamaged, r.id, off, err))
}

func (r *Reader) damaged(err error) error {
	if r.OnDamage != nil {
		r.OnDamage(err)
	}
	return err
}

// ReadAt implements io.ReaderAt, but not for concurrent calls.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		if err := r.load(off, r.size); err != nil {
			return n, err
		}
		m := copy(p[n:], r.chunk.data[off-r.chunk.at:])
		n, off = n+m, off+int64(m)
	}
	return n, nil
}

// Range returns a reader of n bytes from off, which lie in the blob. When Range returns, the
// beginning of the range (256 KiB, unless off lies within a block) has been read and checked. The
// reader is an io.WriterTo, which copies nothing, and which reads and checks the next part while
// one is written.
func (r *Reader) Range(off, n int64) (io.Reader, error) {
	if n > 0 {
		if err := r.load(off, off+n); err != nil {
			return nil, err
		}
	}
	return &rangeReader{r, off, n}, nil
}
