package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/console/session"
)

// A signInForm is the data of the sign-in page.
type signInForm struct {
	Next  string `json:"-"`
	Key   string `json:"-"`
	Wrong string `json:"error,omitempty"`
}

// signInPage shows the form.
func (v *visit) signInPage() (*page, error) {
	if !private(v.r) {
		return nil, v.plainHTTP()
	}
	return &page{Template: "sign-in", Title: "Sign in", Data: signInForm{Next: localPath(v.r.URL.Query().Get("next"))}}, nil
}

func (v *visit) plainHTTP() error {
	return &statusError{
		http.StatusForbidden, "the console is open over plain HTTP to this machine only",
		"Give the server a certificate (--tls-cert, --tls-key), or reach it through an SSH tunnel.",
	}
}

// signIn checks an access key and its secret, and begins a session.
func (v *visit) signIn() (*page, error) {
	if !private(v.r) {
		return nil, v.plainHTTP()
	}
	if err := v.r.ParseForm(); err != nil {
		return nil, badRequest("the form cannot be read: %v", err)
	}
	form := v.r.PostForm
	key, secret, token := strings.TrimSpace(form.Get("key")), strings.TrimSpace(form.Get("secret")), strings.TrimSpace(form.Get("token"))
	shown := signInForm{Next: localPath(form.Get("next")), Key: key}
	if wait := v.attempts.Take(remote(v.r)); wait > 0 {
		seconds := int(wait/time.Second) + 1
		v.w.Header().Set("Retry-After", fmt.Sprint(seconds))
		shown.Wrong = fmt.Sprintf("Too many attempts from this address. Try again in %d seconds.", seconds)
		return &page{Template: "sign-in", Title: "Sign in", Status: http.StatusTooManyRequests, Data: shown}, nil
	}
	kept, who, err := v.Keys.Key(key, token)
	// The hashes have the same length, so the time does not depend on the secret. The
	// comparison is also made for a key that does not exist.
	want, got := sha256.Sum256([]byte(kept)), sha256.Sum256([]byte(secret))
	if same := subtle.ConstantTimeCompare(want[:], got[:]) == 1; err != nil || !same || kept == "" {
		v.Log.Warn("a sign-in to the console failed", "address", remote(v.r))
		shown.Wrong = "The access key does not exist, or its secret is wrong."
		return &page{Template: "sign-in", Title: "Sign in", Status: http.StatusForbidden, Data: shown}, nil
	}
	v.attempts.GiveBack(remote(v.r))
	v.Authenticated(v.r.Context(), who.ID)
	v.begin(key, token)
	v.Log.Info("signed in to the console", "principal", who.ID, "address", remote(v.r))
	return v.redirect(shown.Next)
}

// begin ends the browser's current session and begins a new one.
func (v *visit) begin(key, token string) {
	if cookie, err := v.r.Cookie(session.CookieName(v.r)); err == nil {
		v.sessions.End(cookie.Value)
	}
	session.SetCookie(v.w, v.r, v.sessions.Begin(key, token), session.Lifetime)
}

// SignInLink returns the path and query of a URL that signs in with the access key,
// once, within an hour.
func (c *Console) SignInLink(key string) string { return "/enter?once=" + c.sessions.Link(key) }

// enterByLink signs in with a link of SignInLink. It answers with a page that
// redirects: a browser does not send the new cookie when it follows an HTTP
// redirect of a link on another site.
func (v *visit) enterByLink() (*page, error) {
	if !private(v.r) {
		return nil, v.plainHTTP()
	}
	key, ok := v.sessions.UseLink(v.r.URL.Query().Get("once"))
	if !ok {
		return nil, &statusError{http.StatusForbidden, "this link has been used, or is too old", "Sign in with an access key."}
	}
	v.begin(key, "")
	v.Log.Info("signed in to the console by a link", "address", remote(v.r))
	return &page{Template: "entered", Title: "Signed in", Data: struct{}{}, Refresh: "/"}, nil
}

// signOut ends the session.
func (v *visit) signOut() (*page, error) {
	v.endSession()
	return v.redirect("/sign-in")
}

// localPath returns next if it is a path of the console, else "/".
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
