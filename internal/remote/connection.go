package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Connection sends the requests of a dialect to the service.
type Connection struct {
	// Client sends requests. It follows no redirects, because another host needs
	// another signature.
	Client *http.Client

	endpoint   *url.URL
	addressing Addressing
}

// A Sign function is [Dialect.Sign].
type Sign func(req *http.Request, bucket string, c Credentials, now time.Time) error

// NewConnection returns the connection to endpoint; o must be complete.
func NewConnection(o Options, endpoint *url.URL, sign Sign) *Connection {
	w := &Connection{endpoint: endpoint, addressing: o.Addressing}
	var rt http.RoundTripper = &signing{next: &silenceGuard{o.Transport, o.Silence}, conn: w, sign: sign, credentials: o.Credentials}
	if o.WrapTransport != nil {
		rt = o.WrapTransport(rt)
	}
	w.Client = &http.Client{
		Transport:     repeatable{rt},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w
}

// url returns the URL of a bucket.
func (w *Connection) url(bucket string) *url.URL {
	u := *w.endpoint
	if w.hosted(bucket) {
		u.Host, u.Path = bucket+"."+u.Host, "/"
	} else {
		u.Path = "/" + bucket
	}
	return &u
}

// hosted reports whether the host contains the bucket. A host cannot have an
// underscore or capital letters, and a certificate for *.endpoint is not valid for
// a bucket with a dot. Such buckets are always in the path, as in the SDKs of AWS.
func (w *Connection) hosted(bucket string) bool {
	return w.addressing == VirtualHosted && !strings.ContainsAny(bucket, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
		(w.endpoint.Scheme == "http" || !strings.Contains(bucket, "."))
}

// object returns the URL of an object.
func (w *Connection) object(bucket, key string) *url.URL {
	u := w.url(bucket)
	if !w.hosted(bucket) {
		u.Path += "/"
	}
	u.RawPath = u.Path + escapePath(key)
	u.Path += key
	return u
}

// escapePath escapes a key as signatures of S3 and OSS require: all characters
// except letters, digits, "-._~" and slashes.
func escapePath(key string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if c|0x20-'a' < 26 || c-'0' < 10 || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// Bucket returns the bucket that a URL of the service names.
func (w *Connection) Bucket(u *url.URL) string {
	if w.addressing == VirtualHosted {
		if bucket, found := strings.CutSuffix(u.Host, "."+w.endpoint.Host); found {
			return bucket
		}
	}
	bucket, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return bucket
}

// signing is a transport that signs requests each time they are sent.
type signing struct {
	next        http.RoundTripper
	conn        *Connection
	sign        Sign
	credentials Provider
}

func (t *signing) RoundTrip(req *http.Request) (*http.Response, error) {
	c, err := t.credentials(req.Context())
	if err != nil {
		closeBody(req)
		return nil, &CredentialsError{err}
	}
	signed := req.Clone(req.Context())
	delete(signed.Header, acceptEncoding)
	if err := t.sign(signed, t.conn.Bucket(req.URL), c, time.Now()); err != nil {
		closeBody(req)
		return nil, fmt.Errorf("sign: %w", err)
	}
	if accepted, ok := req.Header[acceptEncoding]; ok {
		signed.Header[acceptEncoding] = accepted
	}
	resp, err := t.next.RoundTrip(signed)
	if err != nil && req.Context().Err() == nil {
		err = &UnansweredError{err}
	}
	return resp, err
}

// closeBody closes the body of a request that is not sent, as a RoundTripper must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // the error of the request says more
	}
}

// ErrSilent is returned if a service neither sends nor receives a byte for
// [Options.Silence].
var ErrSilent = errors.New("the service does not answer")

// silenceGuard is a transport that ends requests to a silent service.
type silenceGuard struct {
	next    http.RoundTripper
	silence time.Duration
}

func (g *silenceGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &silenceTimer{silence: g.silence, cancel: cancel}
	w.timer = time.AfterFunc(g.silence, func() { cancel(ErrSilent) })
	guarded := req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		guarded.Body = &watchedBody{ReadCloser: req.Body, watch: w, ctx: ctx}
	}
	resp, err := g.next.RoundTrip(guarded)
	if err != nil {
		w.end()
		return nil, causeOf(ctx, err)
	}
	w.pause()
	resp.Body = &watchedBody{ReadCloser: resp.Body, watch: w, ctx: ctx, answer: true}
	return resp, nil
}

// causeOf returns the real reason of err: a request that a silenceGuard ended fails as if
// the caller had cancelled it.
func causeOf(ctx context.Context, err error) error {
	if err != io.EOF && errors.Is(context.Cause(ctx), ErrSilent) {
		return ErrSilent
	}
	return err
}

// A silenceTimer ends a request that makes no progress.
type silenceTimer struct {
	silence time.Duration
	cancel  context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

// restart restarts the timer: the request waits for the service.
func (w *silenceTimer) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.timer.Reset(w.silence)
	}
}

// pause stops the timer: the service waits for the caller to read.
func (w *silenceTimer) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

func (w *silenceTimer) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.timer.Stop()
	w.cancel(nil)
}

// A watchedBody is the body of a request or of its answer.
type watchedBody struct {
	io.ReadCloser
	watch  *silenceTimer
	ctx    context.Context
	answer bool // the request ends with it
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if !b.answer {
		b.watch.restart() // the bytes of the previous read have been sent
		return b.ReadCloser.Read(p)
	}
	b.watch.restart()
	n, err := b.ReadCloser.Read(p)
	b.watch.pause()
	if err != nil {
		err = causeOf(b.ctx, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	if b.answer {
		b.watch.end()
	}
	return err
}
