package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
)

// memory carries requests to a handler without a network, so that time may be
// virtual.
type memory struct{ http.Handler }

func (m memory) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// waiting runs f in virtual time on a service with one run that is scanning.
func waiting(t *testing.T, f func(t *testing.T, s *service, c *client.Client, run stocktake.Run)) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.configs["daily"] = configuration("daily")
		run := stocktake.Run{ID: "run-1", Bucket: "photos", Configuration: "daily", State: stocktake.Scanning}
		s.runs = []stocktake.Run{{ID: "run-2", State: stocktake.Skipped}, run}
		c := clientOf("http://127.0.0.1", func(cfg *oss.Config) { cfg.HttpClient = memory{s} })
		f(t, s, c, run)
	})
}

// set changes the run when so much time has passed.
func (s *service) set(after time.Duration, change func(*stocktake.Run)) {
	time.AfterFunc(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		change(&s.runs[1])
	})
}

func TestWait(t *testing.T) {
	waiting(t, func(t *testing.T, s *service, c *client.Client, run stocktake.Run) {
		s.set(time.Minute, func(r *stocktake.Run) { r.State, r.Matched = stocktake.Publishing, 7 })
		s.set(10*time.Minute, func(r *stocktake.Run) { r.State, r.Reason = stocktake.Failed, "disk full" })
		start := time.Now()
		var states []stocktake.RunState
		got, err := c.Wait(t.Context(), run, func(r stocktake.Run) {
			if n := len(states); n == 0 || states[n-1] != r.State {
				states = append(states, r.State)
			}
		})
		if err != nil || got.State != stocktake.Failed || got.Reason != "disk full" || got.Matched != 7 {
			t.Errorf("got %+v, %v", got, err)
		}
		if len(states) != 3 {
			t.Errorf("progress saw %q", states)
		}
		if took := time.Since(start); took < 10*time.Minute || took > 10*time.Minute+2*time.Second {
			t.Errorf("took %v", took)
		}
		if len(s.asked) > 350 {
			t.Errorf("%d requests in ten minutes", len(s.asked))
		}
	})
}

func TestWaitSeesAShortRunAtOnce(t *testing.T) {
	waiting(t, func(t *testing.T, s *service, c *client.Client, run stocktake.Run) {
		s.set(40*time.Millisecond, func(r *stocktake.Run) { r.State = stocktake.Succeeded })
		start := time.Now()
		got, err := c.Wait(t.Context(), run, nil)
		if took := time.Since(start); err != nil || got.State != stocktake.Succeeded || took > 60*time.Millisecond {
			t.Errorf("got %+v, %v after %v", got, err, took)
		}
		if again, err := c.Wait(t.Context(), got, nil); err != nil || again != got {
			t.Errorf("waiting for what has ended: %+v, %v", again, err)
		}
	})
}

// away makes the service answer so for a while.
func (s *service) away(from, to time.Duration, answer func(http.ResponseWriter)) {
	start := time.Now()
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		passed := time.Since(start)
		if passed < from || passed > to {
			return false
		}
		answer(w)
		return true
	}
}

func TestWaitSurvivesARestart(t *testing.T) {
	waiting(t, func(t *testing.T, s *service, c *client.Client, run stocktake.Run) {
		s.away(5*time.Second, 50*time.Second, func(w http.ResponseWriter) { fail(w, 503, "ServiceUnavailable", "Starting.", "") })
		s.set(time.Minute, func(r *stocktake.Run) { r.State = stocktake.Succeeded })
		if got, err := c.Wait(t.Context(), run, nil); err != nil || got.State != stocktake.Succeeded {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestWaitSurvivesRefusedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := newService(t)
		s.configs["daily"] = configuration("daily")
		s.runs = []stocktake.Run{{}, {ID: "run-1", State: stocktake.Succeeded}}
		c := clientOf("http://127.0.0.1", func(cfg *oss.Config) {
			cfg.HttpClient = refusing{memory{s}, start.Add(30 * time.Second)}
		})
		run := stocktake.Run{ID: "run-1", Bucket: "photos", Configuration: "daily"}
		if got, err := c.Wait(t.Context(), run, nil); err != nil || got.State != stocktake.Succeeded {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// refusing is a service that accepts connections only from some time on.
type refusing struct {
	oss.HTTPClient
	until time.Time
}

func (r refusing) Do(req *http.Request) (*http.Response, error) {
	if time.Now().Before(r.until) {
		return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: syscall.ECONNREFUSED}
	}
	return r.HTTPClient.Do(req)
}

func TestWaitGivesUp(t *testing.T) {
	forever := time.Hour
	for name, tt := range map[string]struct {
		arrange func(*service)
		is      error
		after   time.Duration
	}{
		"the run is forgotten": {func(s *service) { s.runs = nil }, stocktake.ErrNoSuchRun, 0},
		"no configuration":     {func(s *service) { clear(s.configs) }, stocktake.ErrNoSuchInventory, 0},
		"no right": {func(s *service) {
			s.away(0, forever, func(w http.ResponseWriter) { fail(w, 403, "AccessDenied", "No.", "") })
		}, stocktake.ErrAccessDenied, 0},
		"away for good": {func(s *service) {
			s.away(0, forever, func(w http.ResponseWriter) { fail(w, 500, "InternalError", "Oh.", "") })
		}, nil, time.Minute},
		"not JSON":               {func(s *service) { s.away(0, forever, func(w http.ResponseWriter) { w.Write([]byte("<x/>")) }) }, client.ErrNotSupported, 0},
		"JSON of another schema": {func(s *service) { s.away(0, forever, func(w http.ResponseWriter) { writeJSON(w, []int{1}) }) }, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			waiting(t, func(t *testing.T, s *service, c *client.Client, run stocktake.Run) {
				tt.arrange(s)
				start := time.Now()
				got, err := c.Wait(t.Context(), run, nil)
				took := time.Since(start)
				if err == nil || tt.is != nil && !errors.Is(err, tt.is) || got.ID != run.ID {
					t.Errorf("got %+v, %v", got, err)
				}
				if took < tt.after || took > tt.after+3*time.Second {
					t.Errorf("after %v, want %v", took, tt.after)
				}
			})
		})
	}
	t.Run("the context ends", func(t *testing.T) {
		waiting(t, func(t *testing.T, s *service, c *client.Client, run stocktake.Run) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if got, err := c.Wait(ctx, run, nil); !errors.Is(err, context.DeadlineExceeded) || got.State != stocktake.Scanning {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	})
}
