package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// A payload is the body of a request, however often it is sent.
//
// If the service answers early, net/http may still read a body after it has
// returned the answer. The caller may therefore reuse the bytes only after release:
// from then on, no reader touches them.
type payload struct {
	mu       sync.Mutex
	content  []byte
	released bool
}

// errReleased ends the sending of a body whose request has ended.
var errReleased = errors.New("the request has ended")

func (p *payload) release() {
	p.mu.Lock()
	p.content, p.released = nil, true
	p.mu.Unlock()
}

// open returns a reader from the beginning.
func (p *payload) open() (io.ReadCloser, error) { return &payloadReader{p: p}, nil }

type payloadReader struct {
	p  *payload
	at int
}

func (r *payloadReader) Read(b []byte) (int, error) {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	switch {
	case r.p.released:
		return 0, errReleased
	case r.at == len(r.p.content):
		return 0, io.EOF
	}
	n := copy(b, r.p.content[r.at:])
	r.at += n
	return n, nil
}

func (r *payloadReader) Close() error { return nil }

type payloadKey struct{}

// send calls request with a reader of content and a context. The SDK takes the
// length and the hash from the reader; the bytes that are sent come from the
// context. content may be reused afterwards.
func send(ctx context.Context, content []byte, request func(context.Context, io.ReadSeeker) error) error {
	p := &payload{content: content}
	defer p.release()
	return request(context.WithValue(ctx, payloadKey{}, p), bytes.NewReader(content))
}

// maxDocument is the longest body that is copied: the XML with the names of 10,000
// parts.
const maxDocument = 4 << 20

// repeatable is a transport that makes the bodies of requests repeatable. Neither
// SDK does this.
type repeatable struct{ next http.RoundTripper }

func (t repeatable) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody || req.GetBody != nil {
		return t.next.RoundTrip(req)
	}
	p, ok := req.Context().Value(payloadKey{}).(*payload)
	if !ok {
		document, err := io.ReadAll(io.LimitReader(req.Body, maxDocument+1))
		if err = errors.Join(err, req.Body.Close()); err != nil {
			return nil, fmt.Errorf("body of %s: %w", req.Method, err)
		}
		if len(document) > maxDocument {
			return nil, fmt.Errorf("the body of %s has more than %d bytes", req.Method, maxDocument)
		}
		p = &payload{content: document} // never released: it belongs to this request alone
	} else if err := req.Body.Close(); err != nil {
		return nil, fmt.Errorf("body of %s: %w", req.Method, err)
	}
	again := req.WithContext(req.Context()) // a RoundTripper must not modify the request
	if again.ContentLength = int64(len(p.content)); len(p.content) == 0 {
		again.Body, again.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
		return t.next.RoundTrip(again)
	}
	again.GetBody = p.open
	again.Body, _ = p.open()
	return t.next.RoundTrip(again)
}
