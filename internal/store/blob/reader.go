package blob

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// chunkBlocks is how many blocks are read and checked at once.
const chunkBlocks = 4

// chunks are buffers for chunks and, at the end of a blob, all of their
// checksums.
var chunks = sync.Pool{New: func() any { return new([chunkBlocks * (BlockSize + sumSize)]byte) }}

// A Reader reads a blob that has checksums, and checks each byte before it
// returns it: the error is ErrDamaged if the byte is not what was written. It is
// for one goroutine.
type Reader struct {
	f    File
	id   uint64
	size int64 // stored bytes

	// OnDamage, unless it is nil, is called with each ErrDamaged that is returned.
	OnDamage func(error)

	buf  *[chunkBlocks * (BlockSize + sumSize)]byte // from chunks; nil before the first read and after Close
	at   int64                                      // where data begins in the blob; a multiple of BlockSize
	data []byte                                     // checked; lies in buf
	sums [chunkBlocks * sumSize]byte
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

// Close closes the file. What Range returned must not be used afterwards.
func (r *Reader) Close() error {
	if r.buf != nil {
		chunks.Put(r.buf)
		r.buf, r.data = nil, nil
	}
	return r.f.Close()
}

// load makes data the chunk that begins with the block that off lies in.
func (r *Reader) load(off int64) error {
	if off >= r.at && off < r.at+int64(len(r.data)) {
		return nil
	}
	if r.buf == nil {
		r.buf = chunks.Get().(*[chunkBlocks * (BlockSize + sumSize)]byte)
	}
	r.data = nil
	block := off / BlockSize
	r.at = block * BlockSize
	n := int(min(chunkBlocks*BlockSize, r.size-r.at))
	blocks := (n + BlockSize - 1) / BlockSize
	list := r.sums[:blocks*sumSize]
	if r.at == 0 && int64(n) == r.size { // the checksums come next
		list = r.buf[n : n+len(list)]
		if err := r.read(r.buf[:n+len(list)], 0); err != nil {
			return err
		}
	} else {
		if err := r.read(r.buf[:n], r.at); err != nil {
			return err
		}
		if err := r.read(list, r.size+block*sumSize); err != nil {
			return err
		}
	}
	if err := check(r.id, block, r.buf[:n], list); err != nil {
		return r.damaged(err)
	}
	r.data = r.buf[:n]
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

// ReadAt implements io.ReaderAt, except that it is for one goroutine.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		if err := r.load(off); err != nil {
			return n, err
		}
		m := copy(p[n:], r.data[off-r.at:])
		n, off = n+m, off+int64(m)
	}
	return n, nil
}

// Range returns a reader of n bytes from off, which lie in the blob. The
// beginning is read and checked already: 256 KiB, unless off lies within a
// block. The reader is an io.WriterTo, which copies nothing.
func (r *Reader) Range(off, n int64) (io.Reader, error) {
	if n > 0 {
		if err := r.load(off); err != nil {
			return nil, err
		}
	}
	return &rangeReader{r, off, n}, nil
}

type rangeReader struct {
	r    *Reader
	off  int64
	left int64
}

// next returns the next checked bytes of the range.
func (r *rangeReader) next() ([]byte, error) {
	if r.left == 0 {
		return nil, io.EOF
	}
	if err := r.r.load(r.off); err != nil {
		return nil, err
	}
	p := r.r.data[r.off-r.r.at:]
	return p[:min(int64(len(p)), r.left)], nil
}

func (r *rangeReader) skip(n int) { r.off, r.left = r.off+int64(n), r.left-int64(n) }

// Read implements io.Reader.
func (r *rangeReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	data, err := r.next()
	if err != nil {
		return 0, err
	}
	n := copy(p, data)
	r.skip(n)
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *rangeReader) WriteTo(w io.Writer) (written int64, err error) {
	for {
		data, err := r.next()
		switch err {
		case nil:
		case io.EOF:
			return written, nil
		default:
			return written, err
		}
		n, err := w.Write(data)
		written += int64(n)
		r.skip(n)
		if err == nil && n < len(data) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return written, err
		}
	}
}
