package request

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// Params are the parameters of a query, decoded, in the order they came.
type Params []Param

// A Param is one parameter. "name" and "name=" are equivalent: some SDKs write the
// second for the first.
type Param struct{ Name, Value string }

// maxParams bounds the parameters of one request. No operation has a quarter of
// that.
const maxParams = 64

// ParseParams parses a query. '+' is a space. A name may occur only once: the
// signature would cover both values, but a handler would read only one.
func ParseParams(query string) (Params, error) {
	var ps Params
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := unescapeQuery(name)
		if err != nil {
			return nil, err
		}
		if value, err = unescapeQuery(value); err != nil {
			return nil, err
		}
		if _, twice := ps.Lookup(name); twice {
			return nil, InvalidArgument(name, value, "the parameter is given more than once")
		}
		if len(ps) == maxParams {
			return nil, InvalidArgument(name, value, "too many parameters")
		}
		ps = append(ps, Param{name, value})
	}
	return ps, nil
}

func unescapeQuery(s string) (string, error) {
	if strings.ContainsAny(s, "%+") {
		var err error
		if s, err = url.QueryUnescape(s); err != nil {
			return "", ErrInvalidURI
		}
	}
	if !utf8.ValidString(s) {
		return "", ErrInvalidURI
	}
	return s, nil
}

// Lookup returns the value of a parameter and whether it is there.
func (ps Params) Lookup(name string) (string, bool) {
	for i := range ps {
		if ps[i].Name == name {
			return ps[i].Value, true
		}
	}
	return "", false
}

// Get returns the value of a parameter, or "" if it is missing.
func (ps Params) Get(name string) string {
	v, _ := ps.Lookup(name)
	return v
}

// Has reports whether a parameter is there, with or without a value.
func (ps Params) Has(name string) bool {
	_, ok := ps.Lookup(name)
	return ok
}

// MaxDocument bounds a document in a body, in bytes, unless an operation sets
// another bound.
const MaxDocument = 1 << 20

// documentTimes is the time that a whole document may take, as a multiple of the
// timeout. A document is read before all rights are checked, and occupies memory
// meanwhile.
const documentTimes = 4

// readAhead bounds the memory that is allocated for a document before it arrives,
// in bytes.
const readAhead = 64 << 10

// A Body reads a request's body. It fails if the client makes no progress. It marks
// errors of reading, so that they are not mistaken for errors of the store.
type Body struct {
	r       *http.Request
	rc      *http.ResponseController
	timeout time.Duration // of one read

	n    int64     // bytes read
	last time.Time // when the deadline was moved
	end  time.Time // when the whole body must have arrived; zero: no limit
	done bool      // read to its end, or broken
}

// NewBody returns the body of r. Each read may take up to timeout. Nothing is read
// before the first Read: only then does the server tell a client that sent "Expect:
// 100-continue" to continue.
func NewBody(r *http.Request, rc *http.ResponseController, timeout time.Duration) *Body {
	return &Body{r: r, rc: rc, timeout: timeout}
}

// Count returns how many bytes have been read.
func (b *Body) Count() int64 { return b.n }

func (b *Body) Read(p []byte) (int, error) {
	// Setting a deadline takes a lock in the runtime: move it only after part of it
	// is used.
	if now := time.Now(); now.Sub(b.last) > b.timeout/16 {
		b.last = now
		deadline := now.Add(b.timeout)
		if !b.end.IsZero() && b.end.Before(deadline) {
			deadline = b.end
		}
		_ = b.rc.SetReadDeadline(deadline)
	}
	n, err := b.r.Body.Read(p)
	b.n += int64(n)
	if err == nil {
		return n, nil
	}
	b.done = true
	if err == io.EOF {
		// net/http keeps reading the connection to detect a disconnect: our deadline
		// must not end that read.
		_ = b.rc.SetReadDeadline(time.Time{})
		return n, io.EOF
	}
	if b.badChunks(err) {
		err = fmt.Errorf("%w: %w", ErrChunks, err)
	}
	return n, &bodyError{err}
}

// badChunks reports whether err, of a read, is about the bytes of the chunks and not about the
// connection. net/http has many such errors and exports none.
func (b *Body) badChunks(err error) bool {
	if len(b.r.TransferEncoding) == 0 || b.r.ProtoMajor != 1 {
		return false
	}
	var connection net.Error // such as a deadline or a reset
	return !errors.As(err, &connection) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed) &&
		!errors.Is(err, http.ErrBodyReadAfterClose) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.ErrClosedPipe)
}

// LimitTotal limits the total time of the reads that follow to four times that of one
// read, since they occupy memory before all rights are checked. The limit applies
// until LiftLimit is called or the body ends.
func (b *Body) LimitTotal() { b.end = time.Now().Add(documentTimes * b.timeout) }

// LiftLimit removes the limit of LimitTotal.
func (b *Body) LiftLimit() { b.end, b.last = time.Time{}, time.Time{} }

// A bodyError is the reason why a body could not be read to its end.
type bodyError struct{ err error }

func (e *bodyError) Error() string     { return "request body: " + e.err.Error() }
func (e *bodyError) Unwrap() error     { return e.err }
func (e *bodyError) Is(err error) bool { return err == ErrBody }

// Abandon ensures that the rest of a body cannot hold the connection: before net/http
// sends an answer, it discards up to 256 KiB of the body at the client's speed, to
// be able to read the next request.
func (b *Body) Abandon() {
	if b.r.ContentLength == 0 || b.done {
		return
	}
	_ = b.rc.SetReadDeadline(time.Now().Add(b.timeout))
}

// Document reads a body of at most limit bytes and checks it against the digests in
// the headers. A longer body is malformed: no legitimate document is that long.
func (b *Body) Document(limit int64) ([]byte, error) {
	if b.r.ContentLength > limit {
		return nil, tooLong(limit)
	}
	digests, err := digestsOf(b.r.Header)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(b.r.ContentLength, 0), readAhead)) + bytes.MinRead)
	b.LimitTotal()
	if _, err := buf.ReadFrom(io.LimitReader(b, limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, tooLong(limit)
	}
	return buf.Bytes(), digests.check(buf.Bytes())
}

func tooLong(limit int64) error {
	return ossxml.Malformed("the document is longer than " + strconv.FormatInt(limit, 10) + " bytes")
}

// XML reads a body that is one XML document of at most limit bytes.
func (b *Body) XML(root string, limit int64) (*ossxml.Element, error) {
	data, err := b.Document(limit)
	if err != nil {
		return nil, err
	}
	return ossxml.Parse(data, root)
}

// OptionalXML reads a body that is one XML document of at most MaxDocument bytes.
// It returns nil for an empty body.
func (b *Body) OptionalXML(root string) (*ossxml.Element, error) {
	data, err := b.Document(MaxDocument)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return nil, err
	}
	return ossxml.Parse(data, root)
}

// digests are the digests that a client declares for its body; nil: not declared.
type digests struct{ md5, sha256 []byte }

// digestsOf reads Content-MD5 and x-oss-content-sha256, which is a digest or
// UNSIGNED-PAYLOAD.
func digestsOf(h http.Header) (d digests, err error) {
	if v := h.Get("Content-Md5"); v != "" {
		if d.md5, err = base64.StdEncoding.DecodeString(v); err != nil || len(d.md5) != md5.Size {
			return digests{}, ErrInvalidDigest
		}
	}
	switch v := h.Get("X-Oss-Content-Sha256"); v {
	case "", "UNSIGNED-PAYLOAD":
	default: // a truncated digest must not disable the check
		if d.sha256, err = hex.DecodeString(v); err != nil || len(d.sha256) != sha256.Size {
			return digests{}, ErrInvalidDigest
		}
	}
	return d, nil
}

func (d digests) check(body []byte) error {
	if d.md5 != nil {
		if sum := md5.Sum(body); !bytes.Equal(sum[:], d.md5) {
			return object.ErrBadDigest
		}
	}
	if d.sha256 != nil {
		if sum := sha256.Sum256(body); !bytes.Equal(sum[:], d.sha256) {
			return object.ErrBadDigest
		}
	}
	return nil
}

// Describe sets the size and the digests of p, as the headers declare them for a
// body that is an object's content.
func (b *Body) Describe(p *object.Put) error {
	d, err := digestsOf(b.r.Header)
	if err != nil {
		return err
	}
	p.Size, p.MD5, p.SHA256 = b.r.ContentLength, d.md5, d.sha256
	switch {
	case p.Size > object.MaxPartSize:
		return object.ErrTooLarge
	case p.Size == 0 && b.r.ProtoMajor == 1 && len(b.r.TransferEncoding) == 0 && b.r.Header.Get("Content-Length") == "":
		return ErrMissingLength
	}
	return nil
}
