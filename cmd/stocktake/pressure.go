package main

import (
	"net/http"
	"sync/atomic"
)

// pressure knows which requests are being answered, for runs that make way for
// them. The zero value is ready.
type pressure struct{ begun, ended atomic.Int64 }

// count wraps a handler whose requests are to be counted.
func (p *pressure) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.begun.Add(1)
		defer p.ended.Add(1)
		h.ServeHTTP(w, r)
	})
}

// requests is how many have come so far, and how many of them are not answered
// yet.
func (p *pressure) requests() (begun, open int64) {
	ended := p.ended.Load() // first, so that open is not negative
	begun = p.begun.Load()
	return begun, begun - ended
}
