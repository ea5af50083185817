package ossapi

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
	"github.com/stocktake/stocktake/internal/ram"
)

// A call is one request on its way through the handler.
type call struct {
	*server
	ctx context.Context
	r   *http.Request
	w   *responseWriter
	id  string // request id

	at    request.Address
	query request.Params
	op    *operation   // nil until routed
	who   ram.Identity // zero: anonymous
	known bool         // who is authenticated

	code, ec string // of the error that was answered; empty: none, or no such code
	body     *request.Body

	// bucket is the state of at.bucket, for operations on an existing bucket.
	bucket object.Bucket
}

// maxURI bounds a request's path and query, in bytes. The longest honest one
// is a listing with prefix, marker and delimiter of 1,023 bytes, each
// percent-encoded; signed URLs add 1 KB, callbacks in a query 5 KB.
const maxURI = 32 << 10

// ServeHTTP answers one request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Admin != nil && strings.HasPrefix(r.URL.Path, "/-/") {
		if _, inHost := s.resolver.BucketOfHost(r.Host); !inHost {
			s.Admin.ServeHTTP(w, r)
			return
		}
	}
	now := s.Now()
	rc := http.NewResponseController(w)
	id := newRequestID(now)
	c := &call{
		server: s, ctx: logs.With(r.Context(), slog.String("request", id)), r: r, id: id,
		w: &responseWriter{ResponseWriter: w, rc: rc, start: time.Now(), timeout: s.BodyTimeout},
	}
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// net/http hides whether the request also had a Content-Length, which may be an
		// attempt at request smuggling.
		//
		// Source: RFC 9112, section 6.1.
		w.Header()["Connection"] = []string{"close"}
	}
	c.body = request.NewBody(r, rc, s.BodyTimeout)
	c.w.leave = c.body.Leave
	h := w.Header()
	h["x-oss-request-id"] = []string{c.id}
	h["Server"] = []string{"AliyunOSS"}
	h["Date"] = []string{now.UTC().Format(http.TimeFormat)}

	defer c.observe()
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			c.refuse(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if err := c.answer(); err != nil {
		c.refuse(err)
	}
}

// answer takes a request from its address to its handler. Only the handler reads
// the body.
func (c *call) answer() error {
	if len(c.r.URL.RawPath)+len(c.r.URL.Path)+len(c.r.URL.RawQuery) > maxURI {
		return request.ErrInvalidURI
	}
	var err error
	if c.at, err = c.resolver.Resolve(c.r); err != nil {
		return err
	}
	if c.r.Method == http.MethodOptions && c.at.Level() != request.ServiceLevel {
		// A preflight request is never signed, and its parameters select the operation
		// that it asks about.
		c.op, err = routes.Find(c.r, c.at.Level(), nil)
	} else {
		err = c.identify()
	}
	if err != nil {
		return err
	}
	if c.op.CreatesBucket {
		c.bucket.Name = c.at.Bucket // it need not exist
	} else if c.op.Level != request.ServiceLevel {
		if c.bucket, err = c.Buckets.Bucket(c.ctx, c.at.Bucket); err != nil {
			return err
		}
		if c.bucket.CORS != nil {
			c.crossOrigin(&c.bucket)
		}
	}
	if err := c.authorize(); err != nil {
		return err
	}
	if c.bucket.Store != "" && !c.op.AnyStore {
		return elsewhere(&c.bucket)
	}
	return c.op.Handle(c)
}

// identify determines the caller and the operation of a request.
func (c *call) identify() (err error) {
	if c.query, err = request.ParseParams(c.r.URL.RawQuery); err != nil {
		return err
	}
	if c.at.Bucket != "" && c.r.Header.Get("Origin") != "" {
		if b, err := c.Buckets.Bucket(c.ctx, c.at.Bucket); err == nil {
			c.crossOrigin(&b) // set now, so that the page can read an error
		}
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	c.op, err = routes.Find(c.r, c.at.Level(), c.query)
	return err
}

// observe reports the outcome of a request to the observer and the log.
func (c *call) observe() {
	o := Observation{
		Operation: c.opName(), Code: c.code, Status: c.w.status, Out: c.w.sent, In: c.body.Count(), Took: time.Since(c.w.start),
		ID: c.id, EC: c.ec, Bucket: c.at.Bucket, Key: c.at.Key, Request: c.r, Context: c.ctx,
	}
	if c.known {
		o.Principal = c.origin().Principal
	}
	if c.Observer != nil {
		c.Observer.Observe(o)
	}
	if c.Log.Enabled(c.ctx, slog.LevelDebug) {
		c.Log.DebugContext(c.ctx, "request", c.attrs("code", c.code, "status", o.Status, "in", o.In, "out", o.Out, "took", o.Took)...)
	}
}

// attrs returns the attributes of every log line about a request. They contain no
// header, parameter or signature.
func (c *call) attrs(more ...any) []any {
	return append([]any{
		"request", c.id, "operation", c.opName(), "method", c.r.Method,
		"bucket", request.Bounded(c.at.Bucket), "key", request.Bounded(c.at.Key), "address", c.sourceIP(),
	}, more...)
}

func (c *call) opName() string {
	if c.op == nil {
		return "Unknown"
	}
	return c.op.Name
}

// newRequestID returns a request id in the form of the service's: 24 upper-case
// hex digits, the first 8 the time.
func newRequestID(now time.Time) string {
	var b [12]byte
	binary.BigEndian.PutUint32(b[:], uint32(now.Unix()))
	_, _ = rand.Read(b[4:]) // never fails
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

// A responseWriter counts the bytes of the answer and adds the headers that are
// known last. ReadFrom passes files on unwrapped, so that net/http can use
// sendfile.
type responseWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	start   time.Time
	timeout time.Duration // of one write; see Config.BodyTimeout
	leave   func()        // called before the first byte of the answer; may be nil
	status  int           // 0: nothing sent yet
	sent    int64         // bytes of body
}

// WriteHeader sends the status and the headers.
func (w *responseWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.Header()["x-oss-server-time"] = []string{strconv.FormatInt(time.Since(w.start).Milliseconds(), 10)}
	if w.leave != nil {
		w.leave()
	}
	w.patience()
	w.ResponseWriter.WriteHeader(status)
}

// patience extends the write deadline by one timeout for the client to read the
// next bytes, and by another for net/http, which may first discard the rest of the
// request. Writers in tests may not support deadlines, which does no harm.
func (w *responseWriter) patience() { _ = w.rc.SetWriteDeadline(time.Now().Add(2 * w.timeout)) }

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n := 0
	for {
		w.patience()
		m, err := w.ResponseWriter.Write(p[n:min(n+piece, len(p))])
		n += m
		w.sent += int64(m)
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// piece is how many bytes of an object are sent before the write deadline is
// extended. At a minute a piece, a client that reads 9 KB/s gets the whole object.
const piece = 512 << 10

// ReadFrom sends r. An [io.LimitedReader] of a file goes out by sendfile, in
// pieces.
func (w *responseWriter) ReadFrom(r io.Reader) (sent int64, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	for {
		part := &io.LimitedReader{R: r, N: piece}
		whole, limited := r.(*io.LimitedReader)
		if limited {
			part.R, part.N = whole.R, min(whole.N, piece) // net/http uses sendfile only below a single limit
		}
		want := part.N
		w.patience()
		n, err := io.Copy(w.ResponseWriter, part)
		sent += n
		w.sent += n
		if limited {
			whole.N -= n
		}
		if err != nil || n < want || limited && whole.N <= 0 {
			return sent, err
		}
	}
}

// Unwrap returns the underlying writer, for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// empty answers without a body.
func (c *call) empty(status int) error {
	if status != http.StatusNoContent && status != http.StatusNotModified {
		c.w.Header()["Content-Length"] = []string{"0"}
	}
	c.w.WriteHeader(status)
	return nil
}

// document answers with a complete body.
func (c *call) document(status int, contentType string, body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // an error means that the client has left
	return nil
}

// xml answers 200 with the document that fill writes.
func (c *call) xml(fill func(*ossxml.Writer)) error {
	x := ossxml.Writer{Buf: append(make([]byte, 0, 1024), ossxml.Header...)}
	fill(&x)
	return c.document(http.StatusOK, "application/xml", x.Buf)
}

// set sets a response header, unless the value is empty.
func (c *call) set(name, value string) {
	if value != "" {
		c.w.Header()[name] = []string{value}
	}
}
