package main

import (
	"net/http"
	"sync/atomic"
)

// pressure knows whether requests are being answered, for runs that make way
// for them. The zero value is ready.
type pressure struct{ requests atomic.Int64 }

// count wraps a handler whose requests are to be counted.
func (p *pressure) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		defer p.requests.Add(-1)
		h.ServeHTTP(w, r)
	})
}

func (p *pressure) busy() bool { return p.requests.Load() > 0 }
