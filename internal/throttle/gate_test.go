package throttle

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A server is a transport with slow answers.
type server func(req *http.Request) (*http.Response, error)

func (s server) RoundTrip(req *http.Request) (*http.Response, error) { return s(req) }

func respond(status int, header ...string) *http.Response {
	r := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("body"))}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func get(ctx context.Context, t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://store/bucket", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// At most the allowed number of requests is in flight, and a slot is free once the
// body of its response is closed.
func TestGateBoundsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inFlight, most atomic.Int64
		store := server(func(*http.Request) (*http.Response, error) {
			for n := inFlight.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			time.Sleep(10 * time.Millisecond)
			return respond(200), nil
		})
		g := NewGate(store, Limits{Concurrency: 16})
		ways := []http.RoundTripper{g, g.Share(store)}
		var group sync.WaitGroup
		for i := range 500 {
			group.Go(func() {
				resp, err := ways[i%2].RoundTrip(get(t.Context(), t))
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(5 * time.Millisecond) // the body is being read
				inFlight.Add(-1)
				for range 2 { // closing twice frees one slot
					resp.Body.Close()
				}
			})
		}
		group.Wait()
		if m := most.Load(); m != 16 {
			t.Errorf("%d requests at once, want 16", m)
		}
		if s := g.Stats(); s != (Stats{Requests: 500, Limit: 16}) {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestGateKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(server(func(*http.Request) (*http.Response, error) { return respond(200), nil }), Limits{PerSecond: 50})
		begun := time.Now()
		for range 505 {
			resp, err := g.RoundTrip(get(t.Context(), t))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		if took := time.Since(begun); took < 9900*time.Millisecond || took > 10100*time.Millisecond {
			t.Errorf("505 requests took %v, want 10 s", took)
		}
	})
}

// A request whose context ends while it waits loses its turn, and a slot that it
// has just got.
func TestGateLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(server(func(*http.Request) (*http.Response, error) { return respond(200), nil }), Limits{Concurrency: 1})
		first, err := g.RoundTrip(get(t.Context(), t))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if _, err := g.RoundTrip(get(ctx, t)); !errors.Is(err, context.Canceled) {
					t.Errorf("error %v", err)
				}
			})
		}
		synctest.Wait()
		if s := g.Stats(); s.Waiting != 3 || s.InFlight != 1 {
			t.Errorf("stats %+v", s)
		}
		cancel()
		group.Wait()
		first.Body.Close()
		if s := g.Stats(); s.Waiting != 0 || s.InFlight != 0 || s.Requests != 1 {
			t.Errorf("stats %+v", s)
		}
		if _, err := g.RoundTrip(get(ctx, t)); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

// Refused and unanswered requests are counted and halve the number of requests; a
// cancelled request does not.
func TestGateHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer func(*http.Request) (*http.Response, error)
		g := NewGate(server(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Millisecond)
			return answer(r)
		}), Limits{Concurrency: 16})
		g.control.limit = 16
		do := func(ctx context.Context) {
			if resp, err := g.RoundTrip(get(ctx, t)); err == nil {
				resp.Body.Close()
			}
		}
		for _, tt := range []struct {
			answer func(*http.Request) (*http.Response, error)
			limit  int
		}{
			{func(*http.Request) (*http.Response, error) { return respond(503), nil }, 8},
			{func(*http.Request) (*http.Response, error) { return respond(429), nil }, 4},
			{func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 2},
			{func(*http.Request) (*http.Response, error) { return respond(404), nil }, 2},
			{func(*http.Request) (*http.Response, error) { return respond(500), nil }, 2},
			{func(*http.Request) (*http.Response, error) { return respond(503), nil }, 1},
			{func(*http.Request) (*http.Response, error) { return respond(503), nil }, 1},
		} {
			answer = tt.answer
			if do(t.Context()); g.Stats().Limit != tt.limit {
				t.Errorf("limit %d, want %d", g.Stats().Limit, tt.limit)
			}
		}
		if s := g.Stats(); s.Requests != 7 || s.Refused != 4 || s.Failed != 1 {
			t.Errorf("stats %+v", s)
		}
		g.control.limit = 16
		ctx, cancel := context.WithCancel(t.Context())
		answer = func(r *http.Request) (*http.Response, error) { cancel(); return nil, r.Context().Err() }
		if do(ctx); g.Stats().Limit != 16 {
			t.Error("a request that its caller gave up has halved the limit")
		}
		slow, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		answer = func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
		if do(slow); g.Stats().Limit != 8 {
			t.Error("a request that took too long has not halved the limit")
		}
	})
}

func TestGateKeepsTheHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hours, err := ParseHours("06:00-07:00") // it is midnight of 1 January 2000
		if err != nil {
			t.Fatal(err)
		}
		g := NewGate(server(func(*http.Request) (*http.Response, error) {
			time.Sleep(25 * time.Minute)
			return respond(200), nil
		}), Limits{Hours: hours})
		var at []string
		for range 4 {
			resp, err := g.RoundTrip(get(t.Context(), t))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			at = append(at, time.Now().UTC().Format("2 15:04"))
		}
		if got := strings.Join(at, ", "); got != "1 06:25, 1 06:50, 1 07:15, 2 06:25" {
			t.Errorf("requests ended at %s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		time.Sleep(time.Hour)
		if _, err := g.RoundTrip(get(ctx, t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}
