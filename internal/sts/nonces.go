package sts

import (
	"crypto/sha256"
	"sync"
	"time"
)

// nonces remembers used nonces for as long as a request with them would be fresh,
// so that an attacker cannot repeat a recorded call. Only calls with a valid
// signature are remembered. The memory is bounded. At the bound, calls are
// rejected, and no nonce is forgotten.
type nonces struct {
	perAccount, total int // bounds

	mu       sync.Mutex
	accounts map[string]*accountNonces
	kept     int // of all accounts
	swept    time.Time
}

// accountNonces holds the nonces of an account.
type accountNonces struct {
	until map[nonce]time.Time
}

type nonce [16]byte // of a hash: what a caller sends may be long

// Bounds of nonces. An account may have the calls of half an hour, the longest time
// that a nonce is kept, at the 6,000 calls a minute that STS allows. All accounts
// together may have eight times that.
const (
	noncesPerAccount = 180_000
	noncesTotal      = 8 * noncesPerAccount
	sweepEvery       = time.Minute
)

// verdict is the result of use.
type verdict int

const (
	fresh verdict = iota
	replayed
	tooMany
)

// use records a nonce of an access key of an account, which is valid until until.
func (n *nonces) use(account, accessKeyID, value string, until, now time.Time) verdict {
	h := sha256.New()
	h.Write([]byte(accessKeyID + "\x00" + value))
	id := nonce(h.Sum(nil))

	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweep(now)
	u := n.accounts[account]
	if u == nil {
		u = &accountNonces{until: map[nonce]time.Time{}}
	}
	if t, ok := u.until[id]; ok && !t.Before(now) {
		return replayed
	} else if ok {
		u.until[id] = until
		return fresh
	}
	if len(u.until) >= n.perAccount || n.kept >= n.total {
		return tooMany
	}
	if n.accounts == nil {
		n.accounts = map[string]*accountNonces{}
	}
	n.accounts[account] = u
	u.until[id] = until
	n.kept++
	return fresh
}

// sweep forgets nonces that are too old to be used again.
func (n *nonces) sweep(now time.Time) {
	if since := now.Sub(n.swept); since >= 0 && since < sweepEvery {
		return
	}
	n.swept = now
	for account, u := range n.accounts {
		for id, until := range u.until {
			if until.Before(now) {
				delete(u.until, id)
				n.kept--
			}
		}
		if len(u.until) == 0 {
			delete(n.accounts, account)
		}
	}
}
