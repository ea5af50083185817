package inflate

import (
	"compress/flate"
	"errors"
	"io"
)

// A Reader reads what is compressed in a source. It reads ahead in the source. It
// is not safe for concurrent use and holds about 300 KiB.
type Reader struct {
	src    io.Reader
	in     []byte // read from src
	pos    int    // of in, the next byte to take into bits
	end    int    // of what is in in; once srcErr is not nil, zeros follow
	srcErr error
	before int64 // bytes of src before in

	bits uint64 // taken from in and not consumed, the next one lowest
	n    uint   // number of them

	out  []byte // the window, then what was decoded lately
	w    int    // end of out
	r    int    // of out, the next byte to return
	base int    // of out, where the stream begins that is decoded

	state state
	final bool // the block is the last of its stream
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
	// moved, and for what is written beyond the end of a match.
	outSize  = window + 128<<10
	outSlack = maxMatch + copyStep + 3*maxLookups
	maxMatch = 258

	inSize = 64 << 10
	// inSlack is how many bytes one step of decoding may take from in.
	inSlack = 24
)

// NewGzip returns a Reader of the gzip members in src, one after another. Errors
// are those of compress/gzip, except that src without a member is
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

// ResetGzip makes r what NewGzip returns, and reuses its memory.
func (r *Reader) ResetGzip(src io.Reader) {
	r.reset(src)
	r.state, r.gzip = atMember, gzipMember{is: true, first: true}
}

// ResetRaw makes r what NewRaw returns, and reuses its memory.
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

// Read implements [io.Reader]. What precedes a fault is returned before its error.
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

// advance decodes up to a buffer of output.
func (r *Reader) advance() {
	if r.w > outSize-maxMatch { // all of it was returned
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

// fill reads more of the source, until inSlack bytes are there or it ends.
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
