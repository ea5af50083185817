package server

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/stocktake/stocktake/internal/server/listen"
	"github.com/stocktake/stocktake/internal/sts"
)

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
	tokens = listen.Hasty(tokens)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Nearly all requests name a bucket or an object of OSS.
		if (r.URL.Path == "/" || strings.EqualFold(r.Host[:min(3, len(r.Host))], "sts")) && sts.Is(r) {
			tokens.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
