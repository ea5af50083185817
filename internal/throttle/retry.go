package throttle

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// The patience of a Retry whose fields are zero.
const (
	DefaultAttempts   = 8
	DefaultFirstPause = 200 * time.Millisecond
	DefaultLongest    = 15 * time.Second
)

// A Retry repeats requests after temporary failures: of the connection, or with a
// status of 429, 500, 502, 503 or 504. The pauses between attempts are random, and
// their length doubles each time. A request with a body is repeated if it has
// GetBody. A POST may have its effect twice, so it is repeated only after 429 and
// 503, with which the store says that there was no effect.
//
// It returns the result of the last attempt. A PUT with the condition that no such
// object exists may find the object that its own first attempt has written.
type Retry struct {
	Next http.RoundTripper

	Attempts   int           // at most, the first included; 0: DefaultAttempts
	FirstPause time.Duration // at most, after the first attempt; 0: DefaultFirstPause

	// Longest is the longest pause. It also bounds Retry-After, because some stores
	// always ask for a minute. 0: DefaultLongest.
	Longest time.Duration

	OnRetry func() // called before a request is sent again; nil: no call

	Log *slog.Logger // of failed attempts; nil: slog.Default()
}

// RoundTrip implements [http.RoundTripper].
func (r *Retry) RoundTrip(req *http.Request) (*http.Response, error) {
	attempts, pause, longest := r.Attempts, r.FirstPause, r.Longest
	if attempts <= 0 {
		attempts = DefaultAttempts
	}
	if pause <= 0 {
		pause = DefaultFirstPause
	}
	if longest <= 0 {
		longest = DefaultLongest
	}
	for n := 1; ; n++ {
		resp, err := r.Next.RoundTrip(req)
		if n >= attempts || !mayRepeat(req, resp, err) {
			return resp, err
		}
		again, e := repeated(req)
		if e != nil {
			return resp, err // the result of the attempt says more
		}
		wait := rand.N(min(pause, longest)) + 1
		if after, ok := retryAfter(resp, time.Now()); ok {
			wait = max(wait, min(after, longest)+rand.N(max(longest/10, 1)))
		}
		pause *= 2
		r.logRetry(req, resp, err, n, wait)
		if resp != nil {
			discard(resp.Body)
		}
		if err := sleep(req.Context(), wait); err != nil {
			closeBody(again)
			return nil, err
		}
		if r.OnRetry != nil {
			r.OnRetry()
		}
		req = again
	}
}

func (r *Retry) logRetry(req *http.Request, resp *http.Response, err error, attempt int, wait time.Duration) {
	log := r.Log
	if log == nil {
		log = slog.Default()
	}
	args := []any{"method", req.Method, "host", req.URL.Host, "path", req.URL.Path, "attempt", attempt, "retry_in", wait}
	if err != nil {
		args = append(args, "err", err)
	} else {
		args = append(args, "status", resp.StatusCode)
	}
	log.DebugContext(req.Context(), "repeating a failed request to a store", args...)
}

// mayRepeat reports whether a request may be repeated after this result.
func mayRepeat(req *http.Request, resp *http.Response, err error) bool {
	if req.Context().Err() != nil {
		return false
	}
	if err != nil {
		return req.Method != http.MethodPost
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return req.Method != http.MethodPost
	}
	return false
}

// repeated returns the request to be sent once more.
func repeated(req *http.Request) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return again, nil
	}
	if req.GetBody == nil {
		return nil, errNoBody
	}
	body, err := req.GetBody()
	again.Body = body
	return again, err
}

var errNoBody = errors.New("cannot read the body of the request again")

// retryAfter returns how long a store asks clients to wait: a number of seconds, or
// a date.
func retryAfter(resp *http.Response, now time.Time) (time.Duration, bool) {
	if resp == nil {
		return 0, false
	}
	text := resp.Header.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}

// maxDiscarded is how much of a body is read so that its connection can be used
// again.
const maxDiscarded = 64 << 10

func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDiscarded) // the body is not used
	_ = body.Close()
}

// sleep waits for d, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
