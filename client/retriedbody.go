package client

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// errAnswered ends the sending of a body whose request has been answered.
var errAnswered = errors.New("the request has been answered")

// retriedBodyTransport lets a request be repeated with the same body.
//
// The SDK rewinds the one reader of a body for each attempt. A server may answer
// before it has read the body, and net/http then still reads from it on a goroutine
// of its own: the first attempt would take bytes that the second must send.
type retriedBodyTransport struct{ http.RoundTripper }

func (t retriedBodyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	// Only a body that can be rewound is sent again. Waiting for any other reader may block
	// forever.
	if s, ok := r.Body.(interface{ IsSeekable() bool }); !ok || !s.IsSeekable() {
		return t.RoundTripper.RoundTrip(r)
	}
	body := &retriedBody{body: r.Body}
	attempt := r.WithContext(r.Context()) // a RoundTripper must not change the request that it is given
	attempt.Body = body
	resp, err := t.RoundTripper.RoundTrip(attempt)
	if err != nil {
		body.detach()
		return nil, err
	}
	resp.Request = r
	resp.Body = &answerBody{resp.Body, body}
	return resp, nil
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] calls.
func (t retriedBodyTransport) CloseIdleConnections() {
	if c, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// A retriedBody is the body of one attempt. After detach the attempt reads
// nothing more from what it shares with the next one.
type retriedBody struct {
	mu       sync.Mutex
	detached bool
	body     io.ReadCloser
}

func (b *retriedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.detached {
		return 0, errAnswered
	}
	return b.body.Read(p)
}

func (b *retriedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.detached {
		return nil
	}
	return b.body.Close()
}

func (b *retriedBody) detach() {
	b.mu.Lock()
	b.detached = true
	b.mu.Unlock()
}

// An answerBody detaches the body of its request when it has been read, not
// before: an error of sending closes the connection.
type answerBody struct {
	io.ReadCloser
	request *retriedBody
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.request.detach()
	}
	return n, err
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.request.detach()
	return err
}
