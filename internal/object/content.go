package object

import "io"

// Content is the bytes of an object at rest.
type Content interface {
	io.Closer

	// Range returns a reader of n bytes from off; off+n is at most the size. The reader is valid
	// until Close; only one range may be read at a time. If the bytes lie in a plain file, the
	// reader is an *io.LimitedReader of that *os.File, so that net/http can use sendfile.
	Range(off, n int64) (io.Reader, error)
}
