package kms

import (
	"errors"
	"io"
	"sync"
)

// buffers are for segments and shared by readers.
var buffers = sync.Pool{New: func() any { return new([SegmentSize]byte) }}

// ReadAt decrypts the segments that hold p, each one whole. For sequential reads, Range is faster.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("kms: negative offset")
	}
	if off >= r.plainSize {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), r.plainSize-off))
	if _, err := io.ReadFull(r.Range(off, int64(n)), p[:n]); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Range reads n bytes of content from off on, or up to the end of the content
// if that comes first. The reader is for one goroutine; it also is an
// [io.WriterTo], which copies the least.
func (r *Reader) Range(off, n int64) io.Reader {
	off = min(max(off, 0), r.plainSize)
	n = min(max(n, 0), r.plainSize-off)
	segment, skip := locate(off)
	return &rangeReader{r: r, segment: segment, skip: skip, left: n}
}

// A rangeReader decrypts segment by segment. It holds a buffer only between
// the first read and the last.
type rangeReader struct {
	r       *Reader
	segment int64 // next to decrypt
	skip    int   // content of it that comes before the range
	left    int64 // bytes of the range that are not decrypted yet

	buf     *[SegmentSize]byte
	content []byte // decrypted, not read yet
	err     error
}

// Read implements io.Reader. A read of 0 bytes decrypts the next segment, so that
// its error is known before any byte is returned.
func (r *rangeReader) Read(p []byte) (int, error) {
	if err := r.fill(); err != nil || len(p) == 0 {
		return 0, err
	}
	n := copy(p, r.content)
	r.content = r.content[n:]
	r.release()
	return n, nil
}

// WriteTo writes the rest of the range to w, a segment at a time.
func (r *rangeReader) WriteTo(w io.Writer) (written int64, err error) {
	for {
		switch err := r.fill(); err {
		case nil:
		case io.EOF:
			return written, nil
		default:
			return written, err
		}
		n, err := w.Write(r.content)
		written += int64(n)
		if err == nil && n < len(r.content) {
			err = io.ErrShortWrite
		}
		r.content = r.content[n:]
		r.release()
		if err != nil {
			return written, err
		}
	}
}

// fill makes content not empty, or returns the error that ends the range.
func (r *rangeReader) fill() error {
	if len(r.content) > 0 {
		return nil
	}
	if r.err == nil && r.left == 0 {
		r.err = io.EOF
	}
	if r.err != nil {
		return r.err
	}
	if r.buf == nil {
		r.buf = buffers.Get().(*[SegmentSize]byte)
	}
	content, err := r.r.segment(r.segment, r.buf[:])
	if err != nil {
		r.err, r.left = err, 0
		r.release()
		return err
	}
	content = content[r.skip:]
	content = content[:min(int64(len(content)), r.left)]
	r.left -= int64(len(content))
	r.segment, r.skip, r.content = r.segment+1, 0, content
	return nil
}

// release returns the buffer to the pool after the last byte.
func (r *rangeReader) release() {
	if r.left == 0 && len(r.content) == 0 && r.buf != nil {
		clear(r.buf[:]) // it held decrypted content
		buffers.Put(r.buf)
		r.buf, r.content = nil, nil
	}
}
