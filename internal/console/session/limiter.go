package session

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// An address may make burst failed attempts at once, then one each refill.
	burst  = 10
	refill = 6 * time.Second

	// maxAddresses bounds the number of addresses that are tracked. Beyond it, all
	// other addresses share one budget until the oldest entries expire.
	maxAddresses = 10_000
)

// A Limiter bounds how often a client may guess a secret. Only failures count, so
// that a user who shares an address with an attacker and knows the secret waits
// only a few seconds.
type Limiter struct {
	mu    sync.Mutex
	spent map[netip.Prefix]time.Time // when the whole budget will be available again
}

// NewLimiter returns a limiter whose budgets are full.
func NewLimiter() *Limiter { return &Limiter{spent: map[netip.Prefix]time.Time{}} }

// network returns the unit that an address is counted under: for IPv6 its first 64
// bits, because one client has many addresses.
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

// Take takes one attempt from the budget of an address. If the budget is used up,
// it returns the time to wait. The caller returns a successful attempt with
// GiveBack.
func (l *Limiter) Take(a netip.Addr) (wait time.Duration) {
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

// GiveBack returns the attempt that Take took.
func (l *Limiter) GiveBack(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := l.bucket(a, time.Now())
	if full, ok := l.spent[who]; ok {
		l.spent[who] = full.Add(-refill)
	}
}

// bucket returns the network that the address is counted under.
func (l *Limiter) bucket(a netip.Addr, now time.Time) netip.Prefix {
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
