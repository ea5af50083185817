package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
	r.AddCookie(&http.Cookie{Name: "stocktake-console", Value: c.sessions.Begin("key", "")})
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

func TestName(t *testing.T) {
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
