package session

import (
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		token := s.Begin("key", "")
		for range 14 { // a session in use lasts for a week
			time.Sleep(idle - time.Minute)
			if s.Find(token) == nil {
				t.Fatal("the session has ended")
			}
		}
		time.Sleep(idle - time.Minute)
		if s.Find(token) != nil {
			t.Error("the session is still there after its lifetime")
		}
		token = s.Begin("key", "")
		time.Sleep(idle + time.Second)
		if s.Find(token) != nil || s.Find("") != nil || s.Find("guess") != nil {
			t.Error("the session is still there")
		}
		link := s.Link("key")
		time.Sleep(onceFor + time.Second)
		if _, ok := s.UseLink(link); ok {
			t.Error("the link still works")
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		other := s.Begin("other", "")
		time.Sleep(time.Second)
		var tokens []string
		for range maxSessionsOfKey + 5 {
			tokens = append(tokens, s.Begin("key", ""))
			time.Sleep(time.Second)
		}
		if s.Find(tokens[4]) != nil || s.Find(tokens[5]) == nil || s.Find(other) == nil {
			t.Error("not the sessions of the key that were not used for longest have ended")
		}
		// Begin looks at all sessions, so most are put there without it.
		for i := len(s.all); i < maxSessions; i++ {
			s.all[[32]byte{0: byte(i), 1: byte(i >> 8)}] = &Session{Key: strconv.Itoa(i), made: time.Now(), used: time.Now()}
		}
		time.Sleep(time.Second)
		for i := range 5 {
			tokens = append(tokens, s.Begin("another"+strconv.Itoa(i), ""))
		}
		if len(s.all) != maxSessions {
			t.Errorf("%d sessions", len(s.all))
		}
		if s.Find(tokens[6]) != nil || s.Find(tokens[len(tokens)-1]) == nil {
			t.Error("not the sessions that were not used for longest have ended")
		}
	})
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		for i := range burst {
			if wait := l.Take(a); wait != 0 {
				t.Fatalf("attempt %d waits %v", i, wait)
			}
		}
		if wait := l.Take(a); wait != refill {
			t.Errorf("waits %v", wait)
		}
		if l.Take(b) != 0 {
			t.Error("another address waits, too")
		}
		time.Sleep(refill)
		if l.Take(a) != 0 || l.Take(a) == 0 {
			t.Error("not one attempt has come back")
		}
		l.GiveBack(a)
		if l.Take(a) != 0 {
			t.Error("an attempt that succeeded counts")
		}
		for i := range maxAddresses + 10 {
			l.Take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		}
		if len(l.spent) > maxAddresses+1 {
			t.Errorf("%d addresses are remembered", len(l.spent))
		}
		six := netip.MustParseAddr("2001:db8::1")
		if network(six) != network(netip.MustParseAddr("2001:db8::2")) || network(six) == network(netip.MustParseAddr("2001:db8:0:1::1")) {
			t.Error("addresses of IPv6 are not counted by network")
		}
	})
}
