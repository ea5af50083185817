package ossapi

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ram"
)

// A call is one request on its way through the handler.
type call struct {
	*server
	ctx context.Context
	r   *http.Request
	w   *responseWriter
	id  string // request id

	at            request.Address
	query         request.Params
	op            *operation   // nil until routed
	who           ram.Identity // zero: anonymous
	authenticated bool         // who has been proved

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
	c.w.abandon = c.body.Abandon
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
		return notInForeign(&c.bucket)
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

// authenticate proves who sent the request; the zero identity is an anonymous
// caller.
func (c *call) authenticate() (err error) {
	if c.who, err = c.at.Authenticate(c.r, c.Access, c.Now()); err != nil {
		return c.unknownKey(err)
	}
	c.authenticated = true
	return nil
}

func (c *call) anonymous() bool { return c.who.Anonymous() }

// authorize checks that the caller may do the operation.
func (c *call) authorize() error {
	action := c.op.Action
	if c.op.VersionAction != "" && c.query.Has("versionId") {
		action = c.op.VersionAction
	}
	if action == "" {
		return nil // the handler checks the rights itself
	}
	return c.allow(action)
}

// allow checks that the caller may do action on what the URL names.
func (c *call) allow(action string) error {
	return c.allowOn(action, &c.bucket, c.at.Key, c.query.Get("versionId"))
}

// allowOn does the same for a version of an object of any bucket; an empty key
// means the bucket itself.
func (c *call) allowOn(action string, b *object.Bucket, key, version string) error {
	return c.decide(c.decider(action, b), b, key, version)
}

// decider returns the decider of the caller's action on keys of b.
func (c *call) decider(action string, b *object.Bucket) *ram.Decider {
	q := ram.BucketRequest(action, b, "")
	q.SourceIP, q.Secure, q.Time = c.sourceIP(), c.r.TLS != nil, c.Now()
	if c.who.Kind != ram.KindAccount || q.Policy != nil {
		q.Conditions = c.conditions()
	}
	return c.Access.Decider(c.who, q)
}

// decide applies a decider to a version of an object, or to the bucket itself if
// key is empty. It fails early if the client has disconnected.
func (c *call) decide(d *ram.Decider, b *object.Bucket, key, version string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	err := c.decideWithACL(d, b, key, version)
	if err == nil && b.RequesterPays && c.account() != b.Owner && !c.offersToPay() {
		return errRequesterPays
	}
	return err
}

// decideWithACL decides without the ACL first, because most callers do not need it.
// It reads the object's ACL only if that decision is negative.
func (c *call) decideWithACL(d *ram.Decider, b *object.Bucket, key, version string) error {
	err := d.Allowed(key, stocktake.Private)
	if err == nil || key == "" && b.ACL == stocktake.Private || b.BlockPublicAccess || b.Owner == "" {
		return err
	}
	acl, err := c.storedACL(b.Name, key, version)
	if err != nil {
		return err
	}
	return d.Allowed(key, acl)
}

// newRequestID returns a request id in the form of the service's: 24 upper-case
// hex digits, the first 8 the time.
func newRequestID(now time.Time) string {
	var b [12]byte
	binary.BigEndian.PutUint32(b[:], uint32(now.Unix()))
	_, _ = rand.Read(b[4:]) // never fails
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

func (c *call) sourceIP() netip.Addr {
	from, err := netip.ParseAddrPort(c.r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// origin returns the origin that is recorded with the changes of this request.
func (c *call) origin() object.Origin {
	by := object.Origin{Principal: c.who.ID, Request: c.id, Address: c.sourceIP()}
	if c.anonymous() {
		by.Principal = object.Anonymous
	}
	return by
}

// audit logs a change that the caller has made to the bucket or to one of its
// configurations, with the caller, the request and its address.
func (c *call) audit(change, configuration string, attrs ...any) {
	by := c.origin()
	line := []any{"bucket", c.at.Bucket}
	if configuration != "" {
		line = append(line, "configuration", configuration)
	}
	line = append(line, "principal", by.Principal, "request", by.Request, "address", by.Address, "operation", c.opName())
	c.Audit.InfoContext(c.ctx, change, append(line, attrs...)...)
}

// auditDigest returns the digest of a document in audit lines. An empty document has
// an empty digest.
func auditDigest(document []byte) string {
	if len(document) == 0 {
		return ""
	}
	return logs.Digest(document)
}

// A responseWriter counts the bytes of the answer and adds the headers that are
// known last. ReadFrom passes files on unwrapped, so that net/http can use
// sendfile.
type responseWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	start   time.Time
	timeout time.Duration // of one write; see Config.BodyTimeout
	abandon func()        // called before the first byte of the answer, which may leave a part of the body unread; may be nil
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
	if w.abandon != nil {
		w.abandon()
	}
	w.extendDeadline()
	w.ResponseWriter.WriteHeader(status)
}

// extendDeadline extends the write deadline by one timeout for the client to read the
// next bytes, and by another for net/http, which may first discard the rest of the
// request. Writers in tests may not support deadlines, which does no harm.
func (w *responseWriter) extendDeadline() { _ = w.rc.SetWriteDeadline(time.Now().Add(2 * w.timeout)) }

// empty answers without a body.
func (c *call) empty(status int) error {
	if status != http.StatusNoContent && status != http.StatusNotModified {
		c.w.Header()["Content-Length"] = []string{"0"}
	}
	c.w.WriteHeader(status)
	return nil
}

// set sets a response header, unless the value is empty.
func (c *call) set(name, value string) {
	if value != "" {
		c.w.Header()[name] = []string{value}
	}
}

// observe reports the outcome of a request to the observer and the log.
func (c *call) observe() {
	o := Observation{
		Operation: c.opName(), Code: c.code, Status: c.w.status, Out: c.w.sent, In: c.body.Count(), Took: time.Since(c.w.start),
		ID: c.id, EC: c.ec, Bucket: c.at.Bucket, Key: c.at.Key, Request: c.r, Context: c.ctx,
	}
	if c.authenticated {
		o.Principal = c.origin().Principal
	}
	if c.Observer != nil {
		c.Observer.Observe(o)
	}
	if c.Log.Enabled(c.ctx, slog.LevelDebug) {
		c.Log.DebugContext(c.ctx, "request", c.attrs("code", c.code, "status", o.Status, "in", o.In, "out", o.Out, "took", o.Took)...)
	}
}

func (c *call) opName() string {
	if c.op == nil {
		return "Unknown"
	}
	return c.op.Name
}
