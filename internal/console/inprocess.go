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

	"github.com/stocktake/stocktake/internal/console/session"
	"github.com/stocktake/stocktake/internal/signature"
)

// An inProcess sends requests to a handler in this process as if the user of the
// console had sent them: from the same address, with the same User-Agent, and over
// TLS if the user's connection is. Policies that test these apply here, too.
type inProcess struct {
	handler http.Handler
	from    *http.Request // the request of the user

	// sign signs an unsigned request by the server's clock, which a test may have
	// moved.
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
			if p := recover(); p != nil { // as a server would cut the connection
				status = http.StatusInternalServerError
				_ = pipe.CloseWithError(io.ErrUnexpectedEOF) // never fails
			}
			w.WriteHeader(status) // no effect if the handler has written
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

// A pipeWriter is the handler's end of a response in this process.
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
		// The SDK looks headers up by their canonical names; the API sets some in OSS's
		// spelling.
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

// localEndpoint is the endpoint of requests in this process. For an IP address the
// bucket is in the path.
const localEndpoint = "http://127.0.0.1"

// sdk returns a client of the official SDK that sends requests in this process,
// with the rights of a session.
func (c *Console) sdk(from *http.Request, s *session.Session, secret string) *oss.Client {
	return oss.NewClient(oss.NewConfig().
		WithCredentialsProvider(credentials.NewAnonymousCredentialsProvider()). // inProcess signs
		WithEndpoint(localEndpoint).
		WithRegion(c.Region).
		WithUsePathStyle(true).
		WithRetryMaxAttempts(1).
		WithHttpClient(c.http(from, s, secret)))
}

func (c *Console) http(from *http.Request, s *session.Session, secret string) *http.Client {
	keys := signature.Credentials{ID: s.Key, Secret: secret, Token: s.Token}
	sign := func(r *http.Request) error {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return signature.Sign(r, signature.Target{Bucket: bucket, Key: key}, keys, c.Region, signature.V4, c.Now())
	}
	return &http.Client{
		Transport:     inProcess{c.API, from, sign},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// serviceError returns the API's error in err, if there is one.
func serviceError(err error) (*oss.ServiceError, bool) {
	return errors.AsType[*oss.ServiceError](err)
}
