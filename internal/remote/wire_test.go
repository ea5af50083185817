package remote_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/ossbucket"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/s3bucket"
	"github.com/stocktake/stocktake/internal/throttle"
)

// A wire is a service that a function implements.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(req *http.Request) (*http.Response, error) { return w(req) }

// answer returns an answer of the service.
func answer(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Etag": {`"part"`}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

var key = remote.Credentials{AccessKeyID: "key", AccessKeySecret: "secret"}

// kinds are the constructors of the dialects.
var kinds = map[string]func(remote.Options) (*remote.Store, error){"s3": s3bucket.New, "oss": ossbucket.New}

func open(t *testing.T, kind string, o remote.Options) *remote.Store {
	t.Helper()
	if o.Endpoint == "" {
		o.Endpoint = "http://127.0.0.1:9"
	}
	if o.Credentials == nil {
		o.Credentials = remote.Static(key)
	}
	s, err := kinds[kind](o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func retried(next http.RoundTripper) http.RoundTripper { return &throttle.Retry{Next: next} }

// net/http may read a body after the answer has arrived. A part that was answered
// early must not send the bytes of the next one.
func TestPartsAreKeptApart(t *testing.T) {
	for kind := range kinds {
		var early []io.ReadCloser // bodies that the service has not read when it answers
		d := open(t, kind, remote.Options{PartSize: 5 << 20, Transport: wire(func(req *http.Request) (*http.Response, error) {
			switch {
			case req.Method == http.MethodPost && req.URL.Query().Has("uploads"):
				return answer(200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"), nil
			case req.Method == http.MethodPut:
				head := make([]byte, 10)
				if _, err := io.ReadFull(req.Body, head); err != nil {
					t.Error(err)
				}
				early = append(early, req.Body)
			}
			return answer(200, ""), nil
		})}).Destination("bucket")
		f, err := d.Create(t.Context(), "k", engine.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, letter := range []string{"a", "b", "c"} {
			if _, err := io.WriteString(f, strings.Repeat(letter, 5<<20)); err != nil {
				t.Fatal(err)
			}
		}
		if len(early) != 2 {
			t.Fatalf("%s: %d parts are sent, want 2", kind, len(early))
		}
		for i, body := range early {
			if rest, err := io.ReadAll(body); len(rest) > 0 || err == nil {
				t.Errorf("%s: part %d is still read after its answer: %d bytes, %v", kind, i, len(rest), err)
			}
		}
	}
}

// A request that is refused for a while is sent again with its whole body, signed
// with the time and the credentials of the attempt.
func TestRequestsAreRepeated(t *testing.T) {
	for kind := range kinds {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var dates, keys, bodies []string
			d := open(t, kind, remote.Options{
				WrapTransport: retried,
				Credentials: func(context.Context) (remote.Credentials, error) {
					mu.Lock()
					defer mu.Unlock()
					return remote.Credentials{AccessKeyID: "key" + string(rune('0'+len(keys))), AccessKeySecret: "s", SessionToken: "t"}, nil
				},
				Transport: wire(func(req *http.Request) (*http.Response, error) {
					mu.Lock()
					defer mu.Unlock()
					body, err := io.ReadAll(req.Body)
					if err != nil {
						t.Error(err)
					}
					bodies = append(bodies, string(body))
					dates = append(dates, req.Header.Get("X-Amz-Date")+req.Header.Get("X-Oss-Date"))
					keys = append(keys, req.Header.Get("Authorization"))
					if len(bodies) < 3 {
						r := answer(503, "<Error><Code>SlowDown</Code></Error>")
						r.Header.Set("Retry-After", "5")
						return r, nil
					}
					return answer(200, ""), nil
				}),
			}).Destination("bucket")
			f, err := d.Create(t.Context(), "k", engine.FileOptions{})
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(f, "content")
			if err := f.Commit(t.Context(), [16]byte{}); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			for i := range bodies {
				if bodies[i] != "content" || !strings.Contains(keys[i], "key"+string(rune('0'+i))+"/") || i > 0 && dates[i] <= dates[i-1] {
					t.Errorf("%s: attempt %d at %q with %q has body %q", kind, i, dates[i], keys[i], bodies[i])
				}
			}
			if len(bodies) != 3 {
				t.Errorf("%s: %d attempts, want 3", kind, len(bodies))
			}
		})
	}
}

// A service that does not answer, or stops in the middle of a page, fails the run
// with a reason. The run does not count as cancelled.
func TestSilence(t *testing.T) {
	stalled := func(req *http.Request) *http.Response {
		r := answer(200, "")
		body, w := io.Pipe()
		go func() {
			io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>`)
			<-req.Context().Done()
			w.CloseWithError(req.Context().Err())
		}()
		r.Body, r.ContentLength = body, -1
		return r
	}
	for name, list := range map[string]wire{
		"no answer": func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		},
		"half a one": func(req *http.Request) (*http.Response, error) { return stalled(req), nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, "s3", remote.Options{Transport: wire(func(req *http.Request) (*http.Response, error) {
				if req.URL.Query().Has("versioning") {
					return answer(200, "<VersioningConfiguration/>"), nil
				}
				return list(req)
			})})
			begun := time.Now()
			snap, err := s.Source().Snapshot(t.Context(), "bucket")
			if err != nil {
				t.Fatal(err)
			}
			err = snap.Scan(t.Context(), engine.Segment{}, false, func([]stocktake.Record) error { return nil })
			if !errors.Is(err, remote.ErrSilent) || errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want %v", name, err, remote.ErrSilent)
			}
			if took := time.Since(begun); took < remote.DefaultSilence || took > 6*remote.DefaultSilence {
				t.Errorf("%s: it took %v", name, took)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	good := remote.Options{Endpoint: "https://s3.lan:9000", Credentials: remote.Static(key)}
	for kind, open := range kinds {
		if _, err := open(good); err != nil {
			t.Error(err)
		}
		for name, edit := range map[string]func(*remote.Options){
			"a path":            func(o *remote.Options) { o.Endpoint += "/bucket" },
			"a query":           func(o *remote.Options) { o.Endpoint += "?x=1" },
			"a user":            func(o *remote.Options) { o.Endpoint = "https://user:password@s3.lan" },
			"no scheme":         func(o *remote.Options) { o.Endpoint = "s3.lan:9000" },
			"another scheme":    func(o *remote.Options) { o.Endpoint = "ftp://s3.lan" },
			"no host":           func(o *remote.Options) { o.Endpoint = "https://" },
			"no credentials":    func(o *remote.Options) { o.Credentials = nil },
			"a small part":      func(o *remote.Options) { o.PartSize = 1 << 20 },
			"a large page":      func(o *remote.Options) { o.PageSize = 50_001 },
			"negative silence":  func(o *remote.Options) { o.Silence = -1 },
			"unknown addresses": func(o *remote.Options) { o.Addressing = 9 },
		} {
			o := good
			edit(&o)
			if _, err := open(o); err == nil || strings.Contains(err.Error(), "password@") {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
	}
}
