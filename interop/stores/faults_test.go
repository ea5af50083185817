package stores_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/s3bucket"
	"github.com/stocktake/stocktake/internal/throttle"
	"github.com/stocktake/stocktake/report"
)

// A fault damages a page of a listing on its way through a proxy: it answers itself,
// and returns true, or changes the answer of the server.
type fault struct {
	instead func(p *proxy, w http.ResponseWriter, r *http.Request) bool
	change  func(p *proxy, body []byte) []byte

	passes  bool   // if it happens to some pages only, the report is right
	message string // of the run that fails because it happens to all
	denied  bool   // that is stocktake.ErrAccessDenied
}

// refuse answers in place of the server.
func refuse(status int, code string) func(*proxy, http.ResponseWriter, *http.Request) bool {
	return func(_ *proxy, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>by the proxy</Message></Error>", code)
		return true
	}
}

var pageFaults = map[string]fault{
	"503 storm": {instead: refuse(503, "SlowDown"), passes: true, message: "SlowDown"},
	"timeout": {instead: func(_ *proxy, _ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done() // until the client gives up
		return true
	}, passes: true, message: "does not answer"},
	"cut off":       {change: func(_ *proxy, body []byte) []byte { return body[:len(body)*2/3] }, passes: true, message: "malformed"},
	"repeated page": {change: func(p *proxy, body []byte) []byte { return p.repeat(body) }, passes: true, message: "broken"},
	"expired credentials": {
		instead: refuse(403, "ExpiredToken"), message: "ExpiredToken", denied: true,
	},
}

// A proxy stands between the adapter and a server.
type proxy struct {
	*httptest.Server
	fault func(page int) *fault // nil: none

	mu    sync.Mutex
	pages int
	first []byte // the first page
}

func newProxy(t *testing.T, s *server) *proxy {
	t.Helper()
	target, err := url.Parse(s.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p := new(proxy)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host                          // it is signed
			r.Out.Header.Set("Accept-Encoding", "identity") // the faults are those of XML
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // the connection breaks
		ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if !q.Has("list-type") && !q.Has("versions") {
			forward.ServeHTTP(w, r)
			return
		}
		p.mu.Lock()
		p.pages++
		f := p.fault(p.pages)
		p.mu.Unlock()
		if f != nil && f.instead != nil && f.instead(p, w, r) {
			return
		}
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		p.mu.Lock()
		if p.first == nil {
			p.first = bytes.Clone(body)
		}
		p.mu.Unlock()
		if f != nil && f.change != nil {
			body = f.change(p, body)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body)
	}))
	t.Cleanup(p.Close)
	return p
}

// repeat returns the first page, whatever was asked for.
func (p *proxy) repeat([]byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first
}

// openProxied returns the adapter to a server behind a proxy, which loses patience
// soon.
func openProxied(t *testing.T, p *proxy, silence time.Duration) *remote.Store {
	t.Helper()
	store, err := s3bucket.New(remote.Options{
		Endpoint: p.URL, PageSize: 50, Requests: 4, Silence: silence, Log: slog.New(slog.DiscardHandler),
		Credentials: remote.Static(remote.Credentials{AccessKeyID: accessKey, AccessKeySecret: secretKey}),
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return &throttle.Retry{Next: throttle.NewGate(next, throttle.Limits{}), Attempts: 4, FirstPause: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// testFaults: temporary faults of pages do not affect a run, and permanent ones fail
// the run with the reason and leave no files. A report is never wrong.
func testFaults(t *testing.T, s *server) {
	const keys = 300
	source := &contractBucket{t, s, s.newBucket(t)}
	source.SetVersioning(true)
	var want []string
	for i := range keys {
		key := fmt.Sprintf("photos/%04d.jpg", i)
		source.Put(sourcetest.Object{Key: key, Body: "x"})
		want = append(want, key)
	}
	run := func(p *proxy, silence time.Duration, versions stocktake.IncludedObjectVersions) (engine.Destination, engine.Result, error) {
		dst := membucket.New(nil, "reports").Bucket("reports")
		job := engine.Job{Run: "run-1", Attempt: 1, Bucket: source.name, Configuration: stocktake.InventoryConfiguration{
			ID: "all", IncludedObjectVersions: versions, OptionalFields: []stocktake.Field{stocktake.FieldSize},
			Destination: stocktake.Destination{Format: "CSV", Bucket: "reports"},
		}}
		result, err := engine.Run(t.Context(), openProxied(t, p, silence).Source(), dst, job, engine.Options{Log: slog.New(slog.DiscardHandler)})
		return dst, result, err
	}
	right := func(name string, dst engine.Destination, result engine.Result, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		var got []string
		rep, err := report.Open(t.Context(), dst, result.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		for row, err := range rep.Rows(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(row.Key))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %d rows, want %d", name, len(got), len(want))
		}
	}
	for name, f := range pageFaults {
		silence := 30 * time.Second
		if name == "timeout" {
			silence = 2 * time.Second
		}
		for _, versions := range []stocktake.IncludedObjectVersions{stocktake.CurrentVersions, stocktake.AllVersions} {
			label := fmt.Sprintf("%s, %s versions", name, versions)
			p := newProxy(t, s)
			p.fault = func(page int) *fault {
				if page == 3 || page == 4 {
					return &f
				}
				return nil
			}
			dst, result, err := run(p, silence, versions)
			if f.passes {
				right(label, dst, result, err)
			}
			p = newProxy(t, s)
			p.fault = func(page int) *fault {
				if page >= 3 {
					return &f
				}
				return nil
			}
			dst, _, err = run(p, silence, versions)
			if err == nil || !strings.Contains(err.Error(), f.message) || errors.Is(err, stocktake.ErrAccessDenied) != f.denied {
				t.Errorf("%s, for ever: %v", label, err)
			}
			for key, err := range dst.List(t.Context(), "") {
				t.Errorf("%s, for ever: %s is left, %v", label, key, err)
			}
		}
	}
	if s.restart == nil {
		return
	}
	p := newProxy(t, s)
	p.fault = func(page int) *fault {
		if page != 4 {
			return nil
		}
		return &fault{instead: func(*proxy, http.ResponseWriter, *http.Request) bool {
			if err := s.restart(); err != nil {
				t.Error(err)
			}
			panic(http.ErrAbortHandler)
		}}
	}
	dst, result, err := run(p, 30*time.Second, stocktake.CurrentVersions)
	right("restart", dst, result, err)
}
