package cluster_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stocktake/stocktake/internal/runner/cluster"
	"github.com/stocktake/stocktake/internal/throttle"
)

// A limited is a store with limits that a process always has requests for.
type limited struct {
	pressed chan struct{}
	modest  atomic.Bool // it has one request in flight

	mu          sync.Mutex
	rate        float64
	concurrency int
}

func newLimited() *limited { return &limited{pressed: make(chan struct{}, 1)} }

func (*limited) Name() string               { return "far" }
func (*limited) Limits() (float64, int)     { return 80, 8 }
func (l *limited) Pressed() <-chan struct{} { return l.pressed }

func (l *limited) Demand() throttle.Demand {
	if l.modest.Load() {
		return throttle.Demand{Most: 1, InFlight: 1}
	}
	select {
	case l.pressed <- struct{}{}:
	default:
	}
	return throttle.Demand{Waiting: 1}
}

func (l *limited) get() (float64, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate, l.concurrency
}

func (l *limited) Grant(r float64, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.concurrency = r, n
}

// Processes share the limits of a store through the database. The share of a process
// that has ended goes to the others.
func TestStoreShares(t *testing.T) {
	w := newWorld(t, "hashed", 10)
	one, two := newLimited(), newLimited()
	w.stores = []cluster.Store{one}
	w.start("one", w.address, 0)
	all := func() bool { rate, concurrency := one.get(); return rate == 80 && concurrency == 8 }
	w.until("the first has all", all)
	w.stores = []cluster.Store{two}
	second := w.start("two", w.address, 0)
	w.until("each has half", func() bool {
		r1, p1 := one.get()
		r2, p2 := two.get()
		return r1 == 40 && p1 == 4 && r2 == 40 && p2 == 4
	})
	two.modest.Store(true)
	w.until("the first has what the second does not use", func() bool {
		r1, p1 := one.get()
		r2, p2 := two.get()
		return r1 == 70 && p1 == 6 && r2 == 10 && p2 == 2
	})
	two.modest.Store(false)
	w.until("each has half again", func() bool {
		r1, p1 := one.get()
		r2, p2 := two.get()
		return r1 == 40 && p1 == 4 && r2 == 40 && p2 == 4
	})
	second.stop()
	w.until("the first has all again", all)
}
