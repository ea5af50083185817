package listen

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Grace is how long requests in progress may take to finish after the server was told to stop.
const Grace = 10 * time.Second

// Serve serves h on all listeners until ctx ends, then lets requests in progress finish within
// Grace.
func Serve(ctx context.Context, all []Listener, conns *Connections, h http.Handler, log *slog.Logger) error {
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
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	err := srv.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests were aborted", "grace", Grace)
		err = srv.Close()
	}
	wg.Wait()
	return errors.Join(failed, err)
}

// haste is how long clients of handlers outside the OSS API may take to send the rest of a request,
// and then to read the answer. Both are small.
const haste = 30 * time.Second

// Hasty serves h with deadlines, so that a slow client cannot keep a connection:
// before it answers, net/http reads the rest of a body, without a time limit. The
// OSS API sets deadlines itself.
func Hasty(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(haste))
		}
		Hasten(w)
		h.ServeHTTP(w, r)
	})
}

// Hasten sets the deadlines of the client, counted from now. Writers in tests may not support
// deadlines; that error is ignored.
func Hasten(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * haste))
}
