package blob

import (
	"io"
	"runtime"
	"sync/atomic"
)

// sending counts the ranges that are being written.
var sending atomic.Int64

// rangeReader reads a range of a blob.
type rangeReader struct {
	r    *Reader
	off  int64
	left int64
}

// next returns the next checked bytes of the range, those of c.
func (r *rangeReader) next(c *chunk) []byte {
	p := c.data[r.off-c.at:]
	return p[:min(int64(len(p)), r.left)]
}

func (r *rangeReader) skip(n int) { r.off, r.left = r.off+int64(n), r.left-int64(n) }

// Read implements io.Reader.
func (r *rangeReader) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case r.left == 0:
		return 0, io.EOF
	}
	if err := r.r.load(r.off, r.off+r.left); err != nil {
		return 0, err
	}
	n := copy(p, r.next(r.r.chunk))
	r.skip(n)
	return n, nil
}

// WriteTo implements io.WriterTo. While a chunk is written, the next one is read
// and checked.
func (r *rangeReader) WriteTo(w io.Writer) (written int64, err error) {
	if r.left == 0 {
		return 0, nil
	}
	if err := r.r.load(r.off, r.off+r.left); err != nil {
		return 0, err
	}
	next := newAhead(r.r, r.off, r.off+r.left)
	defer next.close()
	for c := r.r.chunk; ; {
		data := r.next(c)
		next.begin(r.off + int64(len(data)))
		n, err := w.Write(data)
		written += int64(n)
		r.skip(n)
		switch {
		case err != nil:
			return written, err
		case n < len(data):
			return written, io.ErrShortWrite
		case r.left == 0:
			return written, nil
		}
		if c, err = next.take(); err != nil {
			return written, err
		}
	}
}

// ahead fills one chunk while another one is used, if a processor is idle. Otherwise it fills the
// next one on demand, which keeps it on one processor.
type ahead struct {
	r        *Reader
	off, end int64 // of the bytes that are needed and not yet requested

	used, next *chunk     // nil until they are needed
	filled     chan error // nil unless next is being filled
}

func newAhead(r *Reader, off, end int64) *ahead {
	sending.Add(1)
	return &ahead{r: r, off: off, end: end}
}

// begin begins to fill the next chunk from off on.
func (a *ahead) begin(off int64) {
	a.off = off
	if off == a.end || sending.Load() >= int64(runtime.GOMAXPROCS(0)) {
		return
	}
	into, filled := a.spare(), make(chan error, 1)
	a.filled = filled
	go func() { filled <- a.r.fill(into, off, a.end) }()
}

// spare returns the unused chunk.
func (a *ahead) spare() *chunk {
	if a.next == nil {
		if a.next = largeChunks.get(); a.next == nil {
			a.next = smallChunks.get()
		}
	}
	return a.next
}

// take returns the next chunk. The previous one must not be used any more.
func (a *ahead) take() (c *chunk, err error) {
	if a.filled != nil {
		err = <-a.filled
		a.filled = nil
		a.used, a.next = a.next, a.used
		return a.used, err
	}
	if a.used == nil {
		a.used, a.next = a.spare(), nil
	}
	return a.used, a.r.fill(a.used, a.off, a.end)
}

// close returns the chunks to their pools, as soon as nothing is read into them.
func (a *ahead) close() {
	sending.Add(-1)
	if a.filled != nil {
		<-a.filled
	}
	for _, c := range []*chunk{a.used, a.next} {
		if c != nil {
			c.put()
		}
	}
}
