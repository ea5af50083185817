package cluster

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/stocktake/stocktake/internal/throttle"
)

// A Store is a store of the settings with limits that hold for all processes together.
type Store interface {
	Name() string

	// Limits returns how many requests all processes may begin in a second, and have
	// in flight at once. 0: any number.
	Limits() (perSecond float64, concurrency int)

	// Demand returns what this process has requested since the last call.
	Demand() throttle.Demand

	// Pressed receives a value after requests had to wait because of the grant.
	Pressed() <-chan struct{}

	// Grant sets both limits of this process from now on. A limit that the store does
	// not have is ignored; 0 lets no request begin.
	Grant(perSecond float64, concurrency int)
}

// A share is a part of a store's limits that a process may use.
type share struct {
	rate        int64 // requests in 1,000 seconds
	concurrency int64 // requests in flight
}

// milli is the unit of rates: thousandths of a request.
const milli = 1000

// within returns the smaller of each part of two shares.
func (s share) within(o share) share {
	return share{min(s.rate, o.rate), min(s.concurrency, o.concurrency)}
}

// usable reports whether a request may begin with a share of a store.
func (s share) usable(total share) bool {
	return (total.rate == 0 || s.rate > 0) && (total.concurrency == 0 || s.concurrency > 0)
}

// A holding is the share of a process as stored in the database.
type holding struct {
	process string
	share
	needs share // what it can use; 0: any amount

	// since is when the process got a share that it can use, if served, or else began to
	// wait for one, by the database's clock in microseconds; 0: it has no more to
	// send than what is left to idle processes.
	since  int64
	served bool
}

// ifLeft is added to the since of a process that wants a slot only if others leave
// one.
const ifLeft = 1 << 62

// Parts of a store for processes that have few requests now, so that their next
// request need not wait.
const (
	idleRate  = 16 // each gets this part of an even share of the rate
	idleSlots = 4  // each gets a slot if there are this many for each process
)

// A division is the division of a store, as one process sees it.
type division struct {
	version int64 // of the database's: each change adds one
	now     int64 // by the database's clock, in microseconds
	all     []holding
}

// split returns the holding of a process and those of the others.
func (d *division) split(process string) (me holding, others []holding) {
	me = holding{process: process}
	for _, h := range d.all {
		if h.process == process {
			me = h
		} else {
			others = append(others, h)
		}
	}
	return me, others
}

// divide returns the share of a store that me is entitled to among others, and the
// part of it that me may use at once: two processes together never exceed the limits,
// so shares that others still hold are not granted. Processes with requests to send
// have even shares, but those that need less leave the rest to those that can use it.
// The others have small shares.
//
// If there are fewer slots than processes that want one, a process keeps its slot
// for hold, unless it no longer wants it. Then those that have waited longest are
// next, and last those that want a slot only if others leave it.
func divide(total share, me holding, others []holding, now int64, hold time.Duration) (due, free share) {
	all := append(slices.Clone(others), me)
	var held share
	for _, h := range others {
		held.rate, held.concurrency = held.rate+h.rate, held.concurrency+h.concurrency
	}
	wanting := slices.DeleteFunc(slices.Clone(all), func(h holding) bool { return h.since == 0 })
	n, idlers := int64(len(wanting)), int64(len(all)-len(wanting))
	idle := share{rate: total.rate / (idleRate * int64(len(all)))}
	if total.concurrency >= idleSlots*int64(len(all)) {
		idle.concurrency = 1
	}
	slots := total.concurrency - idle.concurrency*idlers
	few := total.concurrency > 0 && slots < n
	rank := func(h *holding) int {
		switch {
		case !few || h.served && now-h.since < hold.Microseconds():
			return 0
		case h.since >= ifLeft:
			return 3
		case !h.served:
			return 1
		}
		return 2
	}
	slices.SortFunc(wanting, func(a, b holding) int {
		if c := cmp.Compare(rank(&a), rank(&b)); c != 0 || !few {
			return cmp.Or(c, cmp.Compare(a.process, b.process))
		}
		return cmp.Or(cmp.Compare(a.since, b.since), cmp.Compare(a.process, b.process))
	})
	position := int64(slices.IndexFunc(wanting, func(h holding) bool { return h.process == me.process }))
	served := n // how many of them have a slot
	if few {
		served = slots
	}
	switch {
	case position < 0 || position >= served:
		due = idle
		if few {
			due.concurrency = 0
		}
	case few:
		due = share{(total.rate - idle.rate*(int64(len(all))-served)) / served, 1}
	default:
		due.rate = fill(total.rate-idle.rate*idlers, wanting, func(h *holding) int64 { return h.needs.rate })[position]
		due.concurrency = fill(slots, wanting, func(h *holding) int64 { return h.needs.concurrency })[position]
	}
	if few && position > 0 { // what becomes free is for those before
		for _, h := range wanting[:min(position, served)] {
			held.concurrency += max(0, 1-h.concurrency)
		}
	}
	free = share{max(min(due.rate, total.rate-held.rate), 0), max(min(due.concurrency, total.concurrency-held.concurrency), 0)}
	return due, free
}

// fill divides an amount among processes: evenly, but a process that needs less leaves
// the rest to the others. What none of them needs is divided evenly, too: the next
// request of each need not wait. All processes get the same result.
func fill(amount int64, among []holding, needs func(*holding) int64) []int64 {
	order := make([]int, len(among))
	for i := range order {
		order[i] = i
	}
	need := func(i int) int64 {
		if n := needs(&among[i]); n > 0 {
			return n
		}
		return math.MaxInt64
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(need(a), need(b)) })
	parts := make([]int64, len(among))
	deal := func(most func(int) int64) {
		for k, i := range order {
			part := min(amount/int64(len(order)-k), most(i))
			parts[i] += part
			amount -= part
		}
	}
	deal(need)
	deal(func(int) int64 { return math.MaxInt64 })
	return parts
}
