package cluster_test

import (
	"sync"
	"testing"

	"github.com/stocktake/stocktake/internal/runner/cluster"
)

// A limited is a store with limits that a process always has requests for.
type limited struct {
	mu     sync.Mutex
	rate   float64
	places int
}

func (*limited) Name() string           { return "far" }
func (*limited) Limits() (float64, int) { return 80, 8 }
func (*limited) Demand() (bool, int)    { return true, 0 }
func (*limited) Pressed() <-chan struct{} {
	c := make(chan struct{}, 1)
	c <- struct{}{}
	return c
}

func (l *limited) get() (float64, int) { l.mu.Lock(); defer l.mu.Unlock(); return l.rate, l.places }

func (l *limited) Grant(r float64, n int) { l.mu.Lock(); defer l.mu.Unlock(); l.rate, l.places = r, n }

// Processes share the limits of a store through the database. The share of a process
// that has ended goes to the others.
func TestStoreShares(t *testing.T) {
	w := newWorld(t, "hashed", 10)
	one, two := new(limited), new(limited)
	w.stores = []cluster.Store{one}
	w.start("one", w.address, 0)
	all := func() bool { rate, places := one.get(); return rate == 80 && places == 8 }
	w.until("the first has all", all)
	w.stores = []cluster.Store{two}
	second := w.start("two", w.address, 0)
	w.until("each has half", func() bool {
		r1, p1 := one.get()
		r2, p2 := two.get()
		return r1 == 40 && p1 == 4 && r2 == 40 && p2 == 4
	})
	second.stop()
	w.until("the first has all again", all)
}
