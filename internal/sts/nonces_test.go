package sts

import (
	"fmt"
	"testing"
	"time"
)

// Nonces are bounded, per account and in total, and expire.
func TestNoncesAreBounded(t *testing.T) {
	n := nonces{perAccount: 3, total: 5}
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	until := now.Add(30 * time.Minute)
	use := func(account string, i int) verdict { return n.use(account, "key-"+account, fmt.Sprint(i), until, now) }
	for i, want := range []verdict{fresh, fresh, fresh, tooMany} {
		if got := use("a", i); got != want {
			t.Errorf("a %d: %d, want %d", i, got, want)
		}
	}
	if got := use("a", 1); got != replayed {
		t.Errorf("a nonce is forgotten when there are too many: %d", got)
	}
	for i, want := range []verdict{fresh, fresh, tooMany} {
		if got := use("b", i); got != want {
			t.Errorf("b %d: %d, want %d", i, got, want)
		}
	}
	if got := use("c", 0); got != tooMany || len(n.accounts) != 2 {
		t.Errorf("c: %d, %d accounts", got, len(n.accounts))
	}
	now = until.Add(time.Second)
	until = now.Add(30 * time.Minute)
	if got := use("c", 0); got != fresh || n.kept != 1 || len(n.accounts) != 1 {
		t.Errorf("after half an hour: %d, %d kept of %d accounts", got, n.kept, len(n.accounts))
	}
}
