package server

import (
	"net/http"
	"sync/atomic"
)

// A requestCount knows which requests are being answered, for runs that make way for
// them. The zero value is ready.
type requestCount struct{ begun, ended atomic.Int64 }

// count wraps a handler whose requests are to be counted.
func (c *requestCount) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.begun.Add(1)
		defer c.ended.Add(1)
		h.ServeHTTP(w, r)
	})
}

// requests returns how many requests have come so far, and how many of them are
// not answered yet.
func (c *requestCount) requests() (begun, open int64) {
	ended := c.ended.Load() // first, so that open is not negative
	begun = c.begun.Load()
	return begun, begun - ended
}
