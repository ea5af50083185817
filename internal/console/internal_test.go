package console

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake/internal/ram"
)

type oneKey struct{}

func (oneKey) Key(id, _ string) (string, ram.Identity, error) {
	if id == "key" {
		return "secret", ram.Identity{Kind: ram.KindAccount, Account: "1"}, nil
	}
	return "", ram.Identity{}, ram.ErrNoSuchAccessKey
}

// TestPlainHTTPIsForThisMachine holds that no secret crosses a network in plain
// text.
func TestPlainHTTPIsForThisMachine(t *testing.T) {
	c, err := New(Config{API: http.NotFoundHandler(), Keys: oneKey{}, Region: "cn-hangzhou"})
	if err != nil {
		t.Fatal(err)
	}
	for from, status := range map[string]int{"192.0.2.7:999": 403, "[2001:db8::1]:9": 403, "nonsense": 403, "127.0.0.1:9": 303, "[::1]:9": 303} {
		r := httptest.NewRequest("POST", "http://localhost:9001/sign-in", strings.NewReader("key=key&secret=secret"))
		r.RemoteAddr = from
		r.Header.Set("Origin", "http://localhost:9001")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("from %s: %d, want %d", from, w.Code, status)
		}
	}
	// A name of another site that resolves to this machine is not a name of this
	// machine.
	for host, status := range map[string]int{"evil.example:9001": 403, "localhost.evil.example": 403, "127.0.0.1:9001": 200, "[::1]:9001": 200, "localhost": 200} {
		r := httptest.NewRequest("GET", "http://"+host+"/sign-in", nil)
		r.RemoteAddr = "127.0.0.1:9"
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("for %s: %d, want %d", host, w.Code, status)
		}
	}
	// A session that began on this machine is not valid from another one.
	r := httptest.NewRequest("GET", "http://127.0.0.1:9001/", nil)
	r.RemoteAddr = "192.0.2.7:999"
	r.AddCookie(&http.Cookie{Name: "stocktake-console", Value: c.sessions.begin("key", "")})
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
	// Over TLS it may be any machine, and the cookie never leaves TLS.
	r = httptest.NewRequest("POST", "https://console.example/sign-in", strings.NewReader("key=key&secret=secret"))
	r.Header.Set("Origin", "https://console.example")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w = httptest.NewRecorder()
	c.ServeHTTP(w, r)
	cookie := w.Header().Get("Set-Cookie")
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(cookie, "__Host-stocktake=") || !strings.Contains(cookie, "Secure") || w.Header().Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %s", w.Code, cookie)
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions()
		token := s.begin("key", "")
		for range 14 { // a session in use lasts for a week
			time.Sleep(idle - time.Minute)
			if s.find(token) == nil {
				t.Fatal("the session has ended")
			}
		}
		time.Sleep(idle - time.Minute)
		if s.find(token) != nil {
			t.Error("the session is still there after its lifetime")
		}
		token = s.begin("key", "")
		time.Sleep(idle + time.Second)
		if s.find(token) != nil || s.find("") != nil || s.find("guess") != nil {
			t.Error("the session is still there")
		}
		link := s.link("key")
		time.Sleep(onceFor + time.Second)
		if _, ok := s.useLink(link); ok {
			t.Error("the link still works")
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions()
		other := s.begin("other", "")
		time.Sleep(time.Second)
		var tokens []string
		for range maxSessionsOfKey + 5 {
			tokens = append(tokens, s.begin("key", ""))
			time.Sleep(time.Second)
		}
		if s.find(tokens[4]) != nil || s.find(tokens[5]) == nil || s.find(other) == nil {
			t.Error("not the sessions of the key that were not used for longest have ended")
		}
		for i := range maxSessions {
			s.begin(strings.Repeat("k", i%500+1), "")
		}
		if len(s.all) > maxSessions {
			t.Errorf("%d sessions", len(s.all))
		}
	})
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		for i := range burst {
			if wait := l.take(a); wait != 0 {
				t.Fatalf("attempt %d waits %v", i, wait)
			}
		}
		if wait := l.take(a); wait != refill {
			t.Errorf("waits %v", wait)
		}
		if l.take(b) != 0 {
			t.Error("another address waits, too")
		}
		time.Sleep(refill)
		if l.take(a) != 0 || l.take(a) == 0 {
			t.Error("not one attempt has come back")
		}
		l.giveBack(a)
		if l.take(a) != 0 {
			t.Error("an attempt that succeeded counts")
		}
		for i := range maxAddresses + 10 {
			l.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
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

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain/é/写真 x":       "plain/é/写真 x",
		"a\u202eb":           `a\u{202e}b`,
		"a\x00\r\n\tb":       `a\u{0}\u{d}\u{a}\u{9}b`,
		"bad \xff\xc3":       `bad \xff\xc3`,
		"\u2066x\u2069":      `\u{2066}x\u{2069}`,
		"replacement \ufffd": "replacement \ufffd",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
	if got := name(`<script>"&'`); got != `<bdi class="name">&lt;script&gt;&#34;&amp;&#39;</bdi>` {
		t.Error(got)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		count(uint8(7)): "7", count(int64(-1234567)): "-1,234,567",
		took(999 * time.Millisecond): "999 ms", took(90 * time.Second): "1 min 30 s", took(49 * time.Hour): "2 d 1 h",
		many(1, "row"): "1 row", many(2000, "row"): "2,000 rows", grown(5): "+5 B", grown(0): "0 B", grownCount(-5): "-5", percent(1, 3): "33.3 %", percent(1, 0): "-",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
