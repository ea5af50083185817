package throttle

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// The patience of a Retry whose fields are zero.
const (
	DefaultAttempts   = 8
	DefaultPatience   = 75 * time.Second // a store that restarts or fails over is away for up to a minute
	DefaultFirstPause = 200 * time.Millisecond
	DefaultLongest    = 10 * time.Second
)

// warnEvery bounds how often a Retry warns that a store does not answer.
const warnEvery = time.Minute

// A Retry repeats requests after temporary failures: of the connection, or with a
// status of 429, 500, 502, 503 or 504. The pauses between attempts are random, and
// their length doubles each time. A request with a body is repeated if it has
// GetBody. A POST may have its effect twice, so it is repeated only after 429 and
// 503, with which the store says that there was no effect, and if no connection was
// made.
//
// It returns the result of the last attempt. A PUT with the condition that no such
// object exists may find the object that its own first attempt has written.
type Retry struct {
	Next http.RoundTripper

	// Attempts is how many attempts are made at most, the first included, unless
	// Patience allows more; 0: DefaultAttempts.
	Attempts int

	// Patience is how long after its first failure a request is repeated whatever the
	// number of attempts; at least one attempt is made after it. It does not apply
	// before the first answer to any request, when the address is more likely wrong than
	// the store away. 0: DefaultPatience, or none if Attempts is set.
	Patience time.Duration

	FirstPause time.Duration // at most, after the first attempt; 0: DefaultFirstPause

	// Longest is the longest pause. It also bounds Retry-After, because some stores
	// always ask for a minute. 0: DefaultLongest.
	Longest time.Duration

	OnRetry func() // called before a request is sent again; nil: no call

	Log *slog.Logger // of failed attempts; nil: slog.Default()

	answered atomic.Bool // there was an answer to a request

	warned atomic.Int64 // when it last warned of the store, Unix nanoseconds
}

// RoundTrip implements [http.RoundTripper].
func (r *Retry) RoundTrip(req *http.Request) (*http.Response, error) {
	attempts, patience, pause, longest := r.Attempts, r.Patience, r.FirstPause, r.Longest
	if attempts <= 0 {
		attempts, patience = DefaultAttempts, cmp.Or(patience, DefaultPatience)
	}
	if pause <= 0 {
		pause = DefaultFirstPause
	}
	if longest <= 0 {
		longest = DefaultLongest
	}
	var failed time.Time // the end of the first attempt
	for n := 1; ; n++ {
		resp, err := r.Next.RoundTrip(req)
		if err == nil && !r.answered.Load() {
			r.answered.Store(true)
		}
		if n == 1 {
			failed = time.Now()
		}
		known := r.answered.Load()
		if n >= attempts && (time.Since(failed) >= patience || !known) || !known && setUpWrong(err) || !mayRepeat(req, resp, err) {
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
	now := time.Now()
	last := r.warned.Load()
	if attempt >= warnAttempt && now.Sub(time.Unix(0, last)) >= warnEvery && r.warned.CompareAndSwap(last, now.UnixNano()) {
		log.WarnContext(req.Context(), "a store fails; its requests are repeated", args...)
	}
}

// warnAttempt is how many attempts of a request fail before a Retry warns: after about two seconds
// if the store refuses connections.
const warnAttempt = 5

// unsent reports that no connection was made, so that the request has had no effect.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// setUpWrong reports that a request failed before it was sent: the server has shown a
// certificate that is not trusted, or there is no access key. If that is so from the
// beginning, the settings are wrong. Later, keys and certificates are renewed.
func setUpWrong(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	e, ok := errors.AsType[interface {
		error
		NotSent() bool
	}](err)
	return ok && e.NotSent()
}

// mayRepeat reports whether a request may be repeated after this result.
func mayRepeat(req *http.Request, resp *http.Response, err error) bool {
	if req.Context().Err() != nil {
		return false
	}
	if err != nil {
		return req.Method != http.MethodPost || unsent(err)
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
