package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake/internal/sts"
)

// grace is how long requests in progress may take to finish after the server was told to stop.
const grace = 10 * time.Second

// EndWithin is how long a server may take to stop after the end of its context. Operations that
// still wait for the disk then are taken to hang.
const EndWithin = 3 * grace

// serveHTTP serves h on all listeners until ctx ends, then lets requests in progress finish within
// grace.
func serveHTTP(ctx context.Context, all []listener, conns *connections, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:     conns.guard(h),
		ConnState:   conns.state,
		ConnContext: conns.context,
		// Bodies have a separate timeout for progress: an upload of 5 GB may take long, but must
		// not stall.
		ReadHeaderTimeout: 20 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(all)+1)
	for _, l := range all {
		wg.Go(func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				errs <- err
			}
		})
	}
	failed := error(nil)
	select {
	case <-ctx.Done():
	case failed = <-errs:
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := srv.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests were aborted", "grace", grace)
		err = srv.Close()
	}
	wg.Wait()
	return errors.Join(failed, err)
}

// haste is how long clients of handlers outside the OSS API may take to send the rest of a request,
// and then to read the answer. Both are small.
const haste = 30 * time.Second

// hasty serves h with deadlines, so that a slow client cannot keep a connection:
// before it answers, net/http reads the rest of a body, without a time limit. The
// OSS API sets deadlines itself.
func hasty(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(haste))
		}
		hasten(w)
		h.ServeHTTP(w, r)
	})
}

// hasten sets the deadlines of the client, counted from now. Writers in tests may not support
// deadlines; that error is ignored.
func hasten(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * haste))
}

// A requestCount counts the requests in progress, for runs that yield to them. The zero value is
// ready.
type requestCount struct{ begun, ended atomic.Int64 }

// count wraps a handler whose requests are to be counted.
func (c *requestCount) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.begun.Add(1)
		defer c.ended.Add(1)
		h.ServeHTTP(w, r)
	})
}

// requests returns the number of requests so far, and how many of them are in progress.
func (c *requestCount) requests() (begun, open int64) {
	ended := c.ended.Load() // first, so that open is not negative
	begun = c.begun.Load()
	return begun, begun - ended
}

// withSTS serves AssumeRole on the listener of the OSS API, for clients that know only one address.
func withSTS(tokens, api http.Handler) http.Handler {
	tokens = hasty(tokens)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Nearly all requests name a bucket or an object of OSS.
		if (r.URL.Path == "/" || strings.EqualFold(r.Host[:min(3, len(r.Host))], "sts")) && sts.Is(r) {
			tokens.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
