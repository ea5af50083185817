// Package session has what signs people in to the console: sessions and their cookie,
// links that sign in once, tokens of forms, and a limit of failed attempts.
package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

const (
	// idle is how long a session may be unused before it ends.
	idle = 12 * time.Hour

	// Lifetime is how long a session lasts at most.
	Lifetime = 7 * 24 * time.Hour

	// maxSessions bounds the sessions of all keys, and maxSessionsOfKey those of one
	// key. A new session beyond a bound ends the least recently used one.
	maxSessions      = 10_000
	maxSessionsOfKey = 20

	// onceFor is how long a sign-in link is valid.
	onceFor = time.Hour
)

// A Session is a user who has signed in. It does not store the secret of the key:
// the key is looked up for each request, so that a session ends with its key.
type Session struct {
	Key   string // id of the access key
	Token string // security token, if the key is temporary
	csrf  [32]byte
	made  time.Time
	used  time.Time
}

// Sessions are the users who have signed in. Tokens are stored as hashes, so that
// the time of a lookup does not depend on how much of a wrong token is right.
type Sessions struct {
	mu   sync.Mutex
	all  map[[32]byte]*Session
	once map[[32]byte]onceLink
}

type onceLink struct {
	key   string
	until time.Time
}

// New returns an empty set of sessions.
func New() *Sessions {
	return &Sessions{all: map[[32]byte]*Session{}, once: map[[32]byte]onceLink{}}
}

// Begin makes a session and returns its token.
func (s *Sessions) Begin(key, token string) string {
	secret := rand.Text() + rand.Text()
	now := time.Now()
	made := &Session{Key: key, Token: token, made: now, used: now}
	_, _ = rand.Read(made.csrf[:]) // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(key, now)
	s.all[sha256.Sum256([]byte(secret))] = made
	return secret
}

// makeRoom removes expired sessions, and the least recently used one if a new
// session of key would exceed a bound.
func (s *Sessions) makeRoom(key string, now time.Time) {
	ofKey := 0
	var oldest, oldestOfKey [32]byte
	var used, usedOfKey time.Time // of those two; zero: there is none yet
	for id, o := range s.all {
		if o.over(now) {
			delete(s.all, id)
			continue
		}
		if used.IsZero() || o.used.Before(used) {
			oldest, used = id, o.used
		}
		if o.Key == key {
			ofKey++
			if usedOfKey.IsZero() || o.used.Before(usedOfKey) {
				oldestOfKey, usedOfKey = id, o.used
			}
		}
	}
	if ofKey >= maxSessionsOfKey {
		delete(s.all, oldestOfKey)
	} else if len(s.all) >= maxSessions {
		delete(s.all, oldest)
	}
}

func (o *Session) over(now time.Time) bool {
	return now.Sub(o.used) > idle || now.Sub(o.made) > Lifetime
}

// Find returns a copy of the session with a token, or nil.
func (s *Sessions) Find(secret string) *Session {
	if secret == "" {
		return nil
	}
	id := sha256.Sum256([]byte(secret))
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.all[id]
	if o == nil {
		return nil
	}
	if o.over(now) {
		delete(s.all, id)
		return nil
	}
	o.used = now
	found := *o
	return &found
}

// End ends the session with a token.
func (s *Sessions) End(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(secret)))
}

// Link returns a token that signs in with a key once.
func (s *Sessions) Link(key string) string {
	secret := rand.Text() + rand.Text()
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.once {
		if now.After(l.until) {
			delete(s.once, id)
		}
	}
	s.once[sha256.Sum256([]byte(secret))] = onceLink{key, now.Add(onceFor)}
	return secret
}

// UseLink returns the key for a token from Link. The token cannot be used again.
func (s *Sessions) UseLink(secret string) (key string, ok bool) {
	id := sha256.Sum256([]byte(secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.once[id]
	delete(s.once, id)
	return l.key, ok && time.Now().Before(l.until)
}

// CSRFToken returns the token that the forms of a page carry. It differs from page
// to page, so that it cannot be guessed from the length of a compressed page.
func (o *Session) CSRFToken() string {
	var b [64]byte
	_, _ = rand.Read(b[:32]) // never fails
	for i, x := range o.csrf {
		b[32+i] = b[i] ^ x
	}
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HasCSRF reports whether token is one that CSRFToken returns for this session.
func (o *Session) HasCSRF(token string) bool {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 64 {
		return false
	}
	for i := range 32 {
		b[32+i] ^= b[i]
	}
	return subtle.ConstantTimeCompare(b[32:], o.csrf[:]) == 1
}

// CookieName returns the name of the cookie with the token. Over TLS the name has a
// prefix that prevents other hosts, and pages without TLS, from setting the cookie.
func CookieName(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-stocktake"
	}
	return "stocktake-console"
}

// SetCookie sets the cookie of a session for age; age 0 removes it.
func SetCookie(w http.ResponseWriter, r *http.Request, value string, age time.Duration) {
	seconds := int(age / time.Second)
	if age <= 0 {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: CookieName(r), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}
