package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser(t)

	if a := b.get(t, "/buckets/photos?find=x"); a.url != "/sign-in?next=%2Fbuckets%2Fphotos%3Ffind%3Dx" || a.status != 200 {
		t.Errorf("without a session: %d %s", a.status, a.url)
	}
	if a := b.get(t, "/?format=json"); a.status != http.StatusUnauthorized {
		t.Errorf("JSON without a session: %d", a.status)
	}
	for _, wrong := range []url.Values{
		{"key": {rootKey}, "secret": {"other"}},
		{"key": {rootKey}},
		{"key": {"LTAInobody"}, "secret": {""}},
		{"key": {rootKey}, "secret": {rootSecret}, "token": {"one"}},
		{},
	} {
		a := b.send(t, "POST", "/sign-in", wrong)
		if a.status != http.StatusForbidden || len(a.header["Set-Cookie"]) > 0 {
			t.Errorf("%v: %d %v", wrong, a.status, a.header["Set-Cookie"])
		}
		want(t, a.body, "The access key does not exist, or its secret is wrong.")
		if strings.Contains(a.body, "other") && wrong.Get("secret") == "other" && strings.Contains(a.body, `value="other"`) {
			t.Error("the page repeats the secret")
		}
	}

	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := b.send(t, "POST", "/sign-in", url.Values{"key": {rootKey}, "secret": {rootSecret}, "next": {"/buckets/photos"}})
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/buckets/photos" {
		t.Fatalf("%d %s", a.status, a.header.Get("Location"))
	}
	cookie := a.header.Get("Set-Cookie")
	want(t, cookie, "HttpOnly", "SameSite=Strict", "Path=/")
	if strings.Contains(cookie, rootSecret) || strings.Contains(cookie, "Domain") {
		t.Error(cookie)
	}
	want(t, b.see(t, "/"), "photos", "reports", "Sign out")

	for _, next := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "javascript:alert(1)", "", "x"} {
		other := w.browser(t)
		other.CheckRedirect = b.CheckRedirect
		a := other.send(t, "POST", "/sign-in", url.Values{"key": {rootKey}, "secret": {rootSecret}, "next": {next}})
		if to := a.header.Get("Location"); to != "/" {
			t.Errorf("next=%q leads to %q", next, to)
		}
	}

	// A session ends with its browser's cookie and on the server.
	old := b.Jar.Cookies(mustURL(t, w.console))
	if a := b.post(t, "/sign-out", nil); a.status != http.StatusSeeOther {
		t.Fatal(a.status)
	}
	again := w.browser(t)
	again.CheckRedirect = b.CheckRedirect
	again.Jar.SetCookies(mustURL(t, w.console), old)
	if a := again.get(t, "/"); a.status != http.StatusSeeOther {
		t.Errorf("the session is still there: %d", a.status)
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSignInLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	link := strings.TrimPrefix(w.server.SignInLink(), w.console)
	b := w.browser(t)
	a := b.get(t, link)
	want(t, a.body, `http-equiv="refresh" content="0; url=/"`)
	want(t, b.see(t, "/"), "photos")
	for _, used := range []string{link, "/enter?once=guess", "/enter"} {
		if a := w.browser(t).get(t, used); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", used, a.status)
		}
	}
}

// TestSignInIsLimited holds that an address cannot guess, and that a right secret
// uses up no attempt.
func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for range 30 {
		w.signedIn(t, rootKey, rootSecret)
	}
	b := w.browser(t)
	refused := 0
	for range 15 {
		if a := b.send(t, "POST", "/sign-in", url.Values{"key": {rootKey}, "secret": {"guess"}}); a.status == http.StatusTooManyRequests {
			refused++
			if a.header.Get("Retry-After") == "" {
				t.Error("it does not say when to try again")
			}
		}
	}
	if refused < 4 { // one may have come back meanwhile
		t.Errorf("%d of 15 attempts were refused", refused)
	}
}

// TestOtherSites holds that pages of another origin, such as the API's, which
// serves untrusted objects, have no effect.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	good := url.Values{"csrf": {b.csrf(t)}}
	run := "/buckets/photos/inventories/daily/run"
	for what, headers := range map[string][]string{
		"no origin":                 {"Origin", "", "Sec-Fetch-Site", ""},
		"another port":              {"Origin", w.server.Endpoint(), "Sec-Fetch-Site", ""},
		"another port, as it is":    {"Origin", w.server.Endpoint(), "Sec-Fetch-Site", "same-site"},
		"another scheme":            {"Origin", strings.Replace(w.console, "http:", "https:", 1), "Sec-Fetch-Site", ""},
		"a sandboxed page":          {"Origin", "null", "Sec-Fetch-Site", ""},
		"what the browser calls so": {"Sec-Fetch-Site", "cross-site"},
	} {
		if a := b.send(t, "POST", run, good, headers...); a.status != http.StatusForbidden || !strings.Contains(a.body, "another site") {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	for _, token := range []string{"", "x", strings.Repeat("A", 86), w.signedIn(t, rootKey, rootSecret).csrf(t)} {
		if a := b.send(t, "POST", run, url.Values{"csrf": {token}}); a.status != http.StatusForbidden || !strings.Contains(a.body, "out of date") {
			t.Errorf("token %q: %d", token, a.status)
		}
	}
	if a := b.send(t, "POST", run, good); a.status != http.StatusNotFound { // it has no such configuration
		t.Errorf("its own form: %d %s", a.status, a.body)
	}
	if a := b.send(t, "GET", "/", nil, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"); a.status != http.StatusForbidden {
		t.Errorf("a page of another site can load it: %d", a.status)
	}
	if a := b.send(t, "GET", "/", nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); a.status != http.StatusOK {
		t.Errorf("a link of another site: %d", a.status)
	}
	if a := b.send(t, "GET", "/", nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"); a.status != http.StatusForbidden {
		t.Errorf("a frame of another site: %d", a.status)
	}
}

// TestKeyThatEnds holds that a session ends with its key.
func TestKeyThatEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `accounts: [{id: "`+account+`", users: [`+user("alice", "AliyunOSSFullAccess")+`]}]`)
	b := w.signedIn(t, "LTAIalice", "secret-of-alice")
	want(t, b.see(t, "/"), "photos")
	w.declare(t, `accounts: [{id: "`+account+`", users: [`+user("bob", "AliyunOSSFullAccess")+`]}]`)
	if a := b.get(t, "/"); !strings.HasPrefix(a.url, "/sign-in") {
		t.Errorf("%d %s", a.status, a.url)
	}
}
