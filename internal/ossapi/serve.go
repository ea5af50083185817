package ossapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/object"
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

	at    address
	query params
	op    *operation   // nil until routed
	who   ram.Identity // zero: anonymous

	// bucket is the state of at.bucket, for operations on an existing bucket.
	bucket object.Bucket

	in *bodyReader // nil until the body is asked for
}

// maxURI bounds a request's path and query, in bytes. The longest honest one
// is a listing with prefix, marker and delimiter of 1,023 bytes, each
// percent-encoded; signed URLs add 1 KB, callbacks in a query 5 KB.
const maxURI = 32 << 10

// ServeHTTP answers one request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Beside != nil && strings.HasPrefix(r.URL.Path, "/-/") {
		if _, inHost := s.resolver.bucketOfHost(hostname(r.Host)); !inHost {
			s.Beside.ServeHTTP(w, r)
			return
		}
	}
	now := s.Now()
	rc := http.NewResponseController(w)
	c := &call{
		server: s, ctx: r.Context(), r: r, id: newRequestID(now),
		w: &responseWriter{ResponseWriter: w, rc: rc, start: time.Now(), timeout: s.BodyTimeout},
	}
	c.w.leave = c.leaveBody
	h := w.Header()
	h["X-Oss-Request-Id"] = []string{c.id}
	h["Server"] = []string{"AliyunOSS"}
	h["Date"] = []string{now.UTC().Format(http.TimeFormat)}

	var code string
	defer func() { c.observe(code) }()
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			code = c.refuse(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if err := c.answer(); err != nil {
		code = c.refuse(err)
	}
}

// maxErrHeader bounds the error document in a header, in bytes: Node reads
// headers of 16 KB in all, base64 takes a third more.
const maxErrHeader = 6 << 10

// answer takes a request through its stations. Nothing of the body is read
// before the last.
func (c *call) answer() error {
	if len(c.r.URL.RawPath)+len(c.r.URL.Path)+len(c.r.URL.RawQuery) > maxURI {
		return errInvalidURI
	}
	var err error
	if c.at, err = c.resolver.resolve(c.r); err != nil {
		return err
	}
	if err := c.at.check(); err != nil {
		return err
	}
	if c.query, err = parseParams(c.r.URL.RawQuery); err != nil {
		return err
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if c.op, err = route(c.r, c.at.level(), c.query); err != nil {
		return err
	}
	if c.op.makesBucket {
		c.bucket.Name = c.at.bucket // it need not exist
	} else if c.op.level != serviceLevel {
		if c.bucket, err = c.Buckets.Bucket(c.ctx, c.at.bucket); err != nil {
			return err
		}
	}
	if err := c.authorize(); err != nil {
		return err
	}
	return c.op.handle(c)
}

// refuse answers with an error and returns its code.
func (c *call) refuse(err error) string {
	p := newReply(err)
	if p.internal {
		c.Log.ErrorContext(c.ctx, "request failed", c.attrs("err", err)...)
	}
	if c.w.status != 0 {
		// Too late for an answer: the client must not take what it has for whole.
		panic(http.ErrAbortHandler)
	}
	h := c.w.Header()
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Accept-Ranges"} {
		delete(h, name) // of an answer that was being prepared
	}
	for _, f := range p.header {
		c.set(f[0], f[1])
	}
	c.set("X-Oss-Ec", p.ec)
	body := c.errorDocument(&p)
	switch {
	case p.status == http.StatusNotModified:
		c.w.WriteHeader(p.status)
	case c.r.Method == http.MethodHead:
		if len(body) > maxErrHeader {
			p.fields = nil // what was signed, mostly
			body = c.errorDocument(&p)
		}
		c.set("X-Oss-Err", base64.StdEncoding.EncodeToString(body))
		_ = c.empty(p.status)
	default:
		_ = c.document(p.status, "application/xml", body)
	}
	return p.code
}

func (c *call) errorDocument(p *errorReply) []byte {
	x := ossxml.Writer{Buf: append(make([]byte, 0, 512), ossxml.Header...)}
	x.Start("Error")
	x.Text("Code", p.code)
	x.Text("Message", p.message)
	x.Text("RequestId", c.id)
	x.Text("HostId", bounded(c.r.Host))
	if p.about != aboutNothing && len(p.fields) == 0 {
		x.Optional("BucketName", bounded(c.at.bucket))
		if p.about == aboutKey {
			x.Optional("Key", c.at.key)
		}
	}
	for _, f := range p.fields {
		x.Text(f[0], f[1])
	}
	if p.ec != "" {
		x.Text("EC", p.ec)
		x.Text("RecommendDoc", "https://api.aliyun.com/troubleshoot?q="+p.ec)
	}
	x.End("Error")
	return x.Buf
}

// observe tells what became of a request.
func (c *call) observe(code string) {
	o := Observation{Operation: c.opName(), Code: code, Status: c.w.status, Out: c.w.sent, Took: time.Since(c.w.start)}
	if c.in != nil {
		o.In = c.in.n
	}
	if c.Observer != nil {
		c.Observer.Observe(o)
	}
	if c.Log.Enabled(c.ctx, slog.LevelDebug) {
		c.Log.DebugContext(c.ctx, "request", c.attrs("code", code, "status", o.Status, "in", o.In, "out", o.Out, "took", o.Took)...)
	}
}

// attrs are what every line of the log about a request says: no header, no
// parameter, nothing signed.
func (c *call) attrs(more ...any) []any {
	return append([]any{
		"request", c.id, "operation", c.opName(), "method", c.r.Method,
		"bucket", bounded(c.at.bucket), "key", bounded(c.at.key), "from", c.r.RemoteAddr,
	}, more...)
}

func (c *call) opName() string {
	if c.op == nil {
		return "Unknown"
	}
	return c.op.Name
}

// newRequestID makes a request id the way the service's look: 24 upper-case
// hex digits, the first 8 the time.
func newRequestID(now time.Time) string {
	var b [12]byte
	binary.BigEndian.PutUint32(b[:], uint32(now.Unix()))
	_, _ = rand.Read(b[4:]) // never fails
	return strings.ToUpper(hex.EncodeToString(b[:]))
}
