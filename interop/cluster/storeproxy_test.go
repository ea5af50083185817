package cluster_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A storeProxy is a proxy between one process and the S3 server. It delays the pages
// of listings, and holds requests or answers for a test.
type storeProxy struct {
	*httptest.Server
	forward *httputil.ReverseProxy

	mu    sync.Mutex
	delay time.Duration // of each page of a listing
	holds []*storeHold
}

type storeHold struct {
	*hold
	taken  atomic.Bool
	match  func(*http.Request) bool
	answer bool // the answer is held, not the request
}

func newStoreProxy(t testing.TB, endpoint string) *storeProxy {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p := new(storeProxy)
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // the connection breaks
		ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ErrorLog = p.forward.ErrorLog
	p.Start()
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// holdRequest holds the first request that matches before the store sees it.
func (p *storeProxy) holdRequest(t testing.TB, match func(*http.Request) bool) *hold {
	return p.hold(t, match, false)
}

// holdAnswer holds the answer to the first request that matches.
func (p *storeProxy) holdAnswer(t testing.TB, match func(*http.Request) bool) *hold {
	return p.hold(t, match, true)
}

func (p *storeProxy) hold(t testing.TB, match func(*http.Request) bool, answer bool) *hold {
	h := newHold(t)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, &storeHold{hold: h, match: match, answer: answer})
	return h
}

// slow delays each page of a listing.
func (p *storeProxy) slow(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

func (p *storeProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := r.Method == http.MethodGet && r.URL.Query().Has("list-type")
	p.mu.Lock()
	delay, holds := p.delay, p.holds
	p.mu.Unlock()
	if page && delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
	}
	for _, h := range holds {
		if !h.match(r) || !h.taken.CompareAndSwap(false, true) {
			continue
		}
		defer h.pass()
		body, err := io.ReadAll(r.Body) // so that it arrives though its sender is paused
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		context.AfterFunc(r.Context(), func() {
			select {
			case <-h.passed:
			default:
				h.leave()
			}
		})
		r = r.WithContext(context.WithoutCancel(r.Context())) // or dead
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !h.answer {
			h.wait()
			break
		}
		answer := httptest.NewRecorder()
		p.forward.ServeHTTP(answer, r)
		h.wait()
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		return
	}
	p.forward.ServeHTTP(w, r)
}
