package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/internal/signature"
)

// An inProcess sends requests to a handler in this process, as if the person who
// looks at the console had sent them: from their address, with their User-Agent,
// over TLS if they use it. What a policy says about these counts here, too.
type inProcess struct {
	handler http.Handler
	from    *http.Request // of the person

	// sign signs a request that is not signed yet, by the clock of the server, which
	// a test may have moved.
	sign func(*http.Request) error
}

// RoundTrip returns when the handler has sent its headers. The handler runs until
// the body has been read or closed.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	r := req.Clone(ctx)
	if r.Header.Get("Authorization") == "" {
		if err := t.sign(r); err != nil {
			cancel()
			return nil, err
		}
	}
	r.RequestURI = req.URL.RequestURI()
	r.RemoteAddr, r.TLS = t.from.RemoteAddr, t.from.TLS
	r.Header.Set("User-Agent", t.from.UserAgent())
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	content, pipe := io.Pipe()
	w := &pipeWriter{header: http.Header{}, pipe: pipe, begun: make(chan struct{})}
	go func() {
		defer cancel()
		defer r.Body.Close()
		defer func() {
			status := http.StatusOK
			if p := recover(); p != nil { // a connection would be cut
				status = http.StatusInternalServerError
				_ = pipe.CloseWithError(io.ErrUnexpectedEOF) // never fails
			}
			w.WriteHeader(status) // if nothing was written
			_ = pipe.Close()      // never fails
		}()
		t.handler.ServeHTTP(w, r)
	}()
	select {
	case <-w.begun:
	case <-ctx.Done():
		_ = content.CloseWithError(context.Cause(ctx)) // never fails; ends the handler
		return nil, context.Cause(ctx)
	}
	length := int64(-1)
	if req.Method == http.MethodHead {
		_ = content.Close() // never fails
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: content, ContentLength: length, Request: req,
	}, nil
}

// A pipeWriter is the other end of a response in this process.
type pipeWriter struct {
	header, sent http.Header
	status       int
	once         sync.Once
	begun        chan struct{} // closed when status and sent are set
	pipe         *io.PipeWriter
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		// The SDK asks for headers by their canonical names; the API sets some that it
		// spells as OSS does.
		for name, values := range w.sent {
			if canonical := http.CanonicalHeaderKey(name); canonical != name {
				delete(w.sent, name)
				w.sent[canonical] = values
			}
		}
		close(w.begun)
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(p)
}

// localEndpoint is the address that requests in this process name. An address
// without names below it keeps the bucket in the path.
const localEndpoint = "http://127.0.0.1"

// sdk returns the official SDK's client that sends requests in this process, with
// the rights of a session.
func (c *Console) sdk(from *http.Request, s *session, secret string) *oss.Client {
	return oss.NewClient(oss.NewConfig().
		WithCredentialsProvider(credentials.NewAnonymousCredentialsProvider()). // inProcess signs
		WithEndpoint(localEndpoint).
		WithRegion(c.Region).
		WithUsePathStyle(true).
		WithRetryMaxAttempts(1).
		WithHttpClient(c.http(from, s, secret)))
}

func (c *Console) http(from *http.Request, s *session, secret string) *http.Client {
	keys := signature.Credentials{ID: s.key, Secret: secret, Token: s.token}
	sign := func(r *http.Request) error {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return signature.Sign(r, signature.Target{Bucket: bucket, Key: key}, keys, c.Region, signature.V4, c.Now())
	}
	return &http.Client{
		Transport:     inProcess{c.API, from, sign},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// serviceError returns the answer of the API in err, if there is one.
func serviceError(err error) (*oss.ServiceError, bool) {
	return errors.AsType[*oss.ServiceError](err)
}
