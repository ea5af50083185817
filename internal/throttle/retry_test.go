package throttle

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// bodies counts bodies that are not closed.
type body struct {
	io.Reader
	open *int
}

func (b body) Close() error { *b.open--; return nil }

// Repeatable requests are repeated until one succeeds or the attempts are used up.
func TestRetry(t *testing.T) {
	broken := errors.New("connection reset by peer")
	for _, tt := range []struct {
		name     string
		method   string
		body     bool
		rewind   bool
		statuses []int // 0: the connection breaks
		sent     int
		status   int // in the end
	}{
		{"at once", "GET", false, false, []int{200}, 1, 200},
		{"the third time", "GET", false, false, []int{503, 0, 200}, 3, 200},
		{"never", "GET", false, false, []int{503, 503, 503, 503, 500}, 4, 503},
		{"never connects", "GET", false, false, []int{0, 0, 0, 0, 0}, 4, 0},
		{"every status", "HEAD", false, false, []int{429, 500, 502, 504}, 4, 504},
		{"what will not pass", "GET", false, false, []int{403, 200}, 1, 403},
		{"not found", "DELETE", false, false, []int{404, 200}, 1, 404},
		{"a precondition", "PUT", true, true, []int{412, 200}, 1, 412},
		{"a body", "PUT", true, true, []int{0, 503, 200}, 3, 200},
		{"a body that is gone", "PUT", true, false, []int{503, 200}, 1, 503},
		{"a POST that was refused", "POST", true, true, []int{503, 429, 200}, 3, 200},
		{"a POST that failed", "POST", true, true, []int{500, 200}, 1, 500},
		{"a POST that was not answered", "POST", true, true, []int{0, 200}, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent, open := 0, 0
				r := &Retry{Attempts: 4, Log: quiet, Next: server(func(req *http.Request) (*http.Response, error) {
					if req.Body != nil {
						got, err := io.ReadAll(req.Body)
						if err != nil || string(got) != "content" {
							t.Errorf("body %q, %v", got, err)
						}
						req.Body.Close()
					}
					status := tt.statuses[sent]
					if sent++; status == 0 {
						return nil, broken
					}
					resp := respond(status)
					open++
					resp.Body = body{strings.NewReader("answer"), &open}
					return resp, nil
				})}
				var content io.Reader
				if tt.body {
					content = strings.NewReader("content")
				}
				req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://store/bucket", content)
				if err != nil {
					t.Fatal(err)
				}
				if !tt.rewind {
					req.GetBody = nil
				}
				resp, err := r.RoundTrip(req)
				if sent != tt.sent {
					t.Errorf("%d requests, want %d", sent, tt.sent)
				}
				if tt.status == 0 {
					if !errors.Is(err, broken) {
						t.Errorf("error %v", err)
					}
				} else if err != nil || resp.StatusCode != tt.status {
					t.Errorf("%v, %v, want %d", resp, err, tt.status)
				} else if text, _ := io.ReadAll(resp.Body); string(text) != "answer" {
					t.Errorf("the last answer is %q", text)
				} else {
					resp.Body.Close()
				}
				if open != 0 {
					t.Errorf("%d bodies are open", open)
				}
			})
		})
	}
}

// notSent is the error of a request without a key.
type notSent struct{ error }

func (notSent) NotSent() bool { return true }

// A failure that occurs from the beginning is not repeated. A later one may be temporary.
func TestRetrySetUp(t *testing.T) {
	for _, wrong := range []error{&tls.CertificateVerificationError{Err: errors.New("unknown authority")}, notSent{errors.New("no key")}} {
		synctest.Test(t, func(t *testing.T) {
			sent := 0
			var answer error
			r := &Retry{Log: quiet, Next: server(func(*http.Request) (*http.Response, error) {
				if sent++; answer != nil {
					return nil, fmt.Errorf("wrapped: %w", answer)
				}
				return respond(200), nil
			})}
			for _, step := range []struct {
				err  error
				once bool
			}{{wrong, true}, {nil, true}, {wrong, false}} {
				sent, answer = 0, step.err
				_, err := r.RoundTrip(get(t.Context(), t))
				if !errors.Is(err, step.err) || sent == 1 != step.once {
					t.Errorf("%v: %v after %d requests", step.err, err, sent)
				}
			}
		})
	}
}

// Pauses grow and are bounded. Retry-After is respected, within the bound.
func TestRetryPauses(t *testing.T) {
	for _, tt := range []struct {
		after       string
		least, most time.Duration // of the pause after the first attempt
	}{
		{"", 0, 100 * time.Millisecond},
		{"2", 2 * time.Second, 3 * time.Second},
		{"60", 10 * time.Second, 11 * time.Second}, // as MinIO says it always
		{"Sat, 01 Jan 2000 00:00:03 GMT", 3 * time.Second, 4 * time.Second},
		{"Fri, 31 Dec 1999 00:00:00 GMT", 0, 1100 * time.Millisecond}, // the past
		{"soon", 0, 100 * time.Millisecond},
		{"-5", 0, 100 * time.Millisecond},
		{"99999999999999999999", 0, 100 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Duration
			begun := time.Now()
			r := &Retry{Attempts: 12, FirstPause: 100 * time.Millisecond, Longest: 10 * time.Second, Log: quiet, Next: server(func(*http.Request) (*http.Response, error) {
				at = append(at, time.Since(begun))
				if len(at) == 1 && tt.after != "" {
					return respond(503, "Retry-After", tt.after), nil
				}
				return respond(503), nil
			})}
			resp, err := r.RoundTrip(get(t.Context(), t))
			if err != nil || resp.StatusCode != 503 || len(at) != 12 {
				t.Fatalf("%v, %v, %d attempts", resp, err, len(at))
			}
			if first := at[1]; first < tt.least || first > tt.most {
				t.Errorf("Retry-After %q: a pause of %v, want %v to %v", tt.after, first, tt.least, tt.most)
			}
			for i := 2; i < len(at); i++ {
				if pause, most := at[i]-at[i-1], min(100*time.Millisecond<<(i-1), 10*time.Second); pause > most+1 {
					t.Errorf("pause %d is %v, want at most %v", i, pause, most)
				}
			}
		})
	}
}

// The end of the context ends a pause, and no more requests are sent.
func TestRetryCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sent := 0
		r := &Retry{Log: quiet, Next: server(func(*http.Request) (*http.Response, error) {
			sent++
			return respond(503, "Retry-After", "10"), nil
		})}
		begun := time.Now()
		if _, err := r.RoundTrip(get(ctx, t)); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second || sent != 1 {
			t.Errorf("%v after %v and %d requests", err, time.Since(begun), sent)
		}
	})
}

// A store that refuses connections for a minute, or answers 503, fails no request. A store that
// stays away fails requests within two minutes, or in a quarter of that time if it has never
// answered. The log warns once a minute, not for each request.
func TestRetryOutlastsRestart(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, tt := range []struct {
		name   string
		method string
		err    error // nil: 503
		away   time.Duration
		works  bool
		most   time.Duration // of a request that fails
		sent   int           // requests
	}{
		{"refused", "GET", refused, time.Minute, true, 0, 40},
		{"refused, POST", "POST", refused, time.Minute, true, 0, 40},
		{"busy", "GET", nil, time.Minute, true, 0, 40},
		{"gone", "GET", refused, time.Hour, false, 2 * time.Minute, 40},
		{"never there", "GET", refused, time.Hour, false, 30 * time.Second, DefaultAttempts},
	} {
		for range 20 { // the pauses are random
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				begun, sent := time.Now(), 0
				r := &Retry{Log: slog.New(slog.NewTextHandler(&logged, nil)), Next: server(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodHead {
						return respond(404), nil
					}
					sent++
					switch {
					case time.Since(begun) >= tt.away:
						return respond(200), nil
					case tt.err != nil:
						return nil, tt.err
					}
					return respond(503), nil
				})}
				req := get(t.Context(), t)
				if tt.name != "never there" {
					req.Method = http.MethodHead
					if _, err := r.RoundTrip(req); err != nil {
						t.Fatal(err)
					}
				}
				req.Method = tt.method
				resp, err := r.RoundTrip(req)
				took := time.Since(begun)
				switch {
				case tt.works && (err != nil || resp.StatusCode != 200 || took > tt.away+DefaultLongest):
					t.Errorf("%s: %v, %v after %v", tt.name, resp, err, took)
				case !tt.works && (!errors.Is(err, tt.err) || took > tt.most):
					t.Errorf("%s: %v after %v", tt.name, err, took)
				}
				if sent > tt.sent {
					t.Errorf("%s: %d requests", tt.name, sent)
				}
				if n, most := strings.Count(logged.String(), "level=WARN"), int(took/warnEvery)+1; n < 1 || n > most {
					t.Errorf("%s: %d warnings in %v", tt.name, n, took)
				}
			})
		}
	}
}
