package console

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// An address may fail to sign in burst times at once, then once each refill.
	burst  = 10
	refill = 6 * time.Second

	// maxAddresses bounds the addresses that are remembered. With more, all others
	// share one budget until the oldest are forgotten.
	maxAddresses = 10_000
)

// A limiter bounds how often strangers may guess. Only failures count, so that
// whoever shares an address with an attacker and knows their secret is kept out
// for a few seconds only.
type limiter struct {
	mu    sync.Mutex
	spent map[netip.Prefix]time.Time // when the whole budget will be back
}

func newLimiter() *limiter { return &limiter{spent: map[netip.Prefix]time.Time{}} }

// network returns whom an address stands for: of IPv6, where a person has many,
// the first 64 bits.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil { // the zero address
		return netip.Prefix{}
	}
	return p
}

// take takes one attempt from the budget of an address, or returns how long it
// must wait for one. An attempt that succeeds is returned with giveBack.
func (l *limiter) take(a netip.Addr) (wait time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	who := l.bucket(a, now)
	full := l.spent[who]
	if full.Before(now) {
		full = now
	}
	if wait := full.Add(refill).Sub(now) - burst*refill; wait > 0 {
		return wait
	}
	l.spent[who] = full.Add(refill)
	return 0
}

// giveBack returns what take has taken.
func (l *limiter) giveBack(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := l.bucket(a, time.Now())
	if full, ok := l.spent[who]; ok {
		l.spent[who] = full.Add(-refill)
	}
}

// bucket returns under what the address is counted.
func (l *limiter) bucket(a netip.Addr, now time.Time) netip.Prefix {
	who := network(a)
	if _, known := l.spent[who]; known || len(l.spent) < maxAddresses {
		return who
	}
	for p, full := range l.spent {
		if full.Before(now) {
			delete(l.spent, p)
		}
	}
	if len(l.spent) < maxAddresses {
		return who
	}
	return netip.Prefix{}
}
