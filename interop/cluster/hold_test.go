package cluster_test

import (
	"sync"
	"testing"
)

// A hold is a request, or the answer to one, that a proxy holds back until the test
// releases it.
type hold struct {
	reached  chan struct{} // closed when it waits
	released chan struct{} // closed when it may pass
	passed   chan struct{} // closed when it has
	gone     chan struct{} // closed when its sender has abandoned it

	begin, end, pass, leave func()
}

func newHold(t testing.TB) *hold {
	h := &hold{reached: make(chan struct{}), released: make(chan struct{}), passed: make(chan struct{}), gone: make(chan struct{})}
	h.begin, h.end, h.pass, h.leave = sync.OnceFunc(func() { close(h.reached) }), sync.OnceFunc(func() { close(h.released) }), sync.OnceFunc(func() { close(h.passed) }), sync.OnceFunc(func() { close(h.gone) })
	t.Cleanup(h.release)
	return h
}

// wait is called by the proxy. It returns when the hold is released.
func (h *hold) wait() {
	h.begin()
	<-h.released
}

func (h *hold) release() { h.end() }
