package inflate

import (
	"compress/flate"
	"errors"
	"io"
)

// A Reader decompresses a source. It reads ahead in the source. It is not safe for
// concurrent use and holds about 300 KiB.
type Reader struct {
	src    io.Reader
	in     []byte // read from src
	pos    int    // in in, the next byte to move to bits
	end    int    // end of the data in in; once srcErr is not nil, zeros follow
	srcErr error
	before int64 // bytes of src before in

	bits uint64 // from in and not consumed, the next one lowest
	n    uint   // number of them

	out  []byte // the window, then the latest output
	w    int    // end of the data in out
	r    int    // in out, the next byte to return
	base int    // in out, the beginning of the current stream

	state state
	final bool // the block is the last one of its stream
	left  int  // bytes of a stored block
	err   error
	gzip  gzipMember

	codes
}

// A state is what comes next in the input.
type state uint8

const (
	atMember  state = iota // the header of a gzip member
	atBlock                // the header of a block
	inStored               // the bytes of a stored block
	inCodes                // the symbols of a block
	atTrailer              // the end of a gzip member
)

const (
	window = 32 << 10

	// After the window, out has room for some rows, so that the window is seldom
	// moved, and for the bytes that are written beyond the end of a match.
	outSize  = window + 128<<10
	outSlack = maxMatch + copyStep + 3*maxLookups
	maxMatch = 258

	inSize = 64 << 10
	// inSlack bounds the bytes that one step of decoding takes from in.
	inSlack = 24
)

// NewGzip returns a Reader of the concatenated gzip members in src. Its errors are
// those of compress/gzip, except that a src without a member returns
// io.ErrUnexpectedEOF.
func NewGzip(src io.Reader) *Reader {
	r := new(Reader)
	r.ResetGzip(src)
	return r
}

// NewRaw returns a Reader of one stream of raw DEFLATE. Errors are those of
// compress/flate.
func NewRaw(src io.Reader) *Reader {
	r := new(Reader)
	r.ResetRaw(src)
	return r
}

// ResetGzip resets r to the state of NewGzip and reuses its memory.
func (r *Reader) ResetGzip(src io.Reader) {
	r.reset(src)
	r.state, r.gzip = atMember, gzipMember{is: true, first: true}
}

// ResetRaw resets r to the state of NewRaw and reuses its memory.
func (r *Reader) ResetRaw(src io.Reader) {
	r.reset(src)
	r.state, r.gzip = atBlock, gzipMember{}
}

func (r *Reader) reset(src io.Reader) {
	if r.in == nil {
		r.in = make([]byte, inSize+inSlack)
		r.out = make([]byte, outSize+outSlack)
	}
	r.src, r.srcErr = src, nil
	r.pos, r.end, r.before, r.bits, r.n = 0, 0, 0, 0, 0
	r.w, r.r, r.base = 0, 0, 0
	r.final, r.err = false, nil
}

// Read implements [io.Reader]. It returns the data before a fault, then the error.
func (r *Reader) Read(p []byte) (int, error) {
	for r.r == r.w {
		if r.err != nil {
			return 0, r.err
		}
		r.advance()
	}
	n := copy(p, r.out[r.r:r.w])
	r.r += n
	return n, nil
}

// advance decodes up to one buffer of output.
func (r *Reader) advance() {
	if r.w > outSize-maxMatch { // all output has been returned
		n := copy(r.out, r.out[r.w-window:r.w])
		r.base = max(r.base-(r.w-n), 0)
		r.w, r.r = n, n
	}
	for from := r.w; r.err == nil && r.w == from; {
		switch r.state {
		case atMember:
			r.err = r.member()
		case atBlock:
			r.err = r.block()
		case inStored:
			r.err = r.stored()
		case inCodes:
			r.err = r.symbols()
		case atTrailer:
			r.err = r.trailer()
		}
		if r.gzip.is {
			r.gzip.sum(r.out[from:r.w])
		}
	}
}

// fill reads from the source until in has inSlack bytes or the source ends.
func (r *Reader) fill() {
	if r.srcErr != nil || r.end-r.pos >= inSlack {
		return
	}
	r.before += int64(r.pos)
	r.end = copy(r.in, r.in[r.pos:r.end])
	r.pos = 0
	for idle := 0; r.end < inSlack && r.srcErr == nil; {
		var n int
		n, r.srcErr = r.src.Read(r.in[r.end:inSize])
		r.end += n
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 && r.srcErr == nil {
			r.srcErr = io.ErrNoProgress
		}
	}
	if r.srcErr != nil {
		clear(r.in[r.end : r.end+inSlack])
	}
}

// ended returns the error for input that ends too early.
func (r *Reader) ended() error {
	if errors.Is(r.srcErr, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return r.srcErr
}

// corrupt returns the error for input that is not DEFLATE.
func (r *Reader) corrupt() error { return flate.CorruptInputError(r.before + int64(r.pos)) }
