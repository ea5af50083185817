package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/transport"
)

// Bounds of answers, in bytes. A full page of the longest configurations has
// 3 MiB, one of the longest keys 10 MiB.
const (
	maxAnswer       = 16 << 20
	maxErrorAnswer  = 1 << 20
	maxHeaderAnswer = 256 << 10
)

// ErrAnswerTooLong reports an answer that is longer than any valid one.
var ErrAnswerTooLong = errors.New("the server's answer is too long")

// NewHTTPClient returns a client for servers that need not be trusted: it follows
// no redirect, which would carry the signature of a request to another server, and
// reading an answer fails with [ErrAnswerTooLong] at 16 MiB, or 1 MiB for an error.
// Only the content of an object has no bound, since its reader knows the size. A
// request that is repeated sends its body whole. Give it to the SDK with
// [oss.Config.WithHttpClient].
func NewHTTPClient() *http.Client { return newHTTPClient(nil) }

// newHTTPClient returns a client whose connections may be silent for silence. nil is the SDK's
// default, for requests that a server answers at once; 0 means no limit except the context.
func newHTTPClient(silence *time.Duration) *http.Client {
	c := transport.NewHttpClient(&transport.Config{ReadWriteTimeout: silence}, func(t *http.Transport) { t.MaxResponseHeaderBytes = maxHeaderAnswer })
	c.Transport = boundedTransport{retriedBodyTransport{c.Transport}}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// boundedTransport bounds the answers to its requests.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode >= 300:
		resp.Body = &boundedBody{resp.Body, maxErrorAnswer}
	case !asksForContent(r):
		resp.Body = &boundedBody{resp.Body, maxAnswer}
	}
	return resp, nil
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] calls.
func (t boundedTransport) CloseIdleConnections() {
	if c, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// asksForContent reports whether a request reads the content of an object. It does not depend on
// the answer, which the server chooses.
func asksForContent(r *http.Request) bool {
	for name := range r.URL.Query() {
		if name != "versionId" {
			return false
		}
	}
	return r.Method == http.MethodGet && !strings.HasSuffix(r.URL.Path, "/")
}

// A boundedBody fails after more than left bytes.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n + int(b.left), ErrAnswerTooLong
	}
	return n, err
}
