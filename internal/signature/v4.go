package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
)

const (
	algorithmV4 = "OSS4-HMAC-SHA256"
	terminator  = "aliyun_v4_request"
	product     = "oss" // of the scopes we sign

	layoutV4  = "20060102T150405Z"
	layoutDay = "20060102"
)

func (a *Auth) verifyV4(c *canon, r *http.Request, targets []Target, secret string) (Target, error) {
	if !c.readV4(r, a.additional, a.Presigned) {
		return Target{}, invalidArgument("query", r.URL.RawQuery, "The query string is not properly encoded.")
	}
	key, known := keys.derive(secret, a.day, a.Region, a.Product)
	var failed error
	for attempt := 0; ; attempt++ {
		for _, target := range targets {
			canonical := c.canonicalV4(r, target, a.additional)
			text := c.stringToSignV4(canonical, a.stamps[0], a.day, a.Region, a.Product)
			want := signatureV4(&key, c.out[text.from:text.to])
			if subtle.ConstantTimeCompare(want[:], []byte(a.signature)) == 1 {
				if !known {
					keys.keep(secret, a.day, a.Region, a.Product, key)
				}
				return target, nil
			}
			if failed == nil {
				failed = a.mismatch(string(c.out[text.from:text.to]), string(c.out[canonical.from:canonical.to]))
			}
		}
		// ali-oss sorts parameters by locale.
		if attempt > 0 || !c.sortParamsByLocale() {
			break
		}
	}
	if failed == nil { // no targets
		failed = a.mismatch("", "")
	}
	return Target{}, failed
}

// readV4 takes what V4 signs of r.
func (c *canon) readV4(r *http.Request, additional []string, presigned bool) bool {
	c.readHeaders(r, true, additional)
	ok := c.readQuery(r.URL.RawQuery, true, func(name []byte) bool {
		return !presigned || string(name) != paramSignature
	})
	c.sortParams()
	return ok
}

// canonicalV4 writes the canonical request into c.out and says where.
func (c *canon) canonicalV4(r *http.Request, target Target, additional []string) span {
	c.out = append(append(c.out[:0], r.Method...), '\n')
	c.appendTarget(target, true)
	c.out = append(c.out, '\n')
	c.appendParams()
	c.out = append(c.out, '\n')
	c.appendHeaders()
	c.out = append(c.out, '\n')
	for i, name := range additional {
		if i > 0 {
			c.out = append(c.out, ';')
		}
		c.out = append(c.out, name...)
	}
	c.out = append(c.out, '\n')
	payload := r.Header.Get(headerSHA256)
	if payload == "" {
		payload = unsignedPayload
	}
	c.out = append(c.out, payload...)
	return span{0, len(c.out)}
}

// stringToSignV4 writes the string to sign behind the canonical request.
func (c *canon) stringToSignV4(canonical span, stamp, day, region, product string) span {
	digest := sha256.Sum256(c.out[canonical.from:canonical.to])
	from := len(c.out)
	c.out = append(append(c.out, algorithmV4...), '\n')
	c.out = append(append(c.out, stamp...), '\n')
	c.out = append(append(c.out, day...), '/')
	c.out = append(append(c.out, region...), '/')
	c.out = append(append(c.out, product...), '/')
	c.out = append(append(c.out, terminator...), '\n')
	c.out = hex.AppendEncode(c.out, digest[:])
	return span{from, len(c.out)}
}

func signatureV4(key *[sha256.Size]byte, text []byte) (signature [2 * sha256.Size]byte) {
	var sum [sha256.Size]byte
	mac := hmac.New(sha256.New, key[:])
	mac.Write(text)
	hex.Encode(signature[:], mac.Sum(sum[:0]))
	return signature
}

// keys remembers the signing keys of the last signatures that were good. A
// stranger cannot fill it.
var keys keyCache

type (
	scope    struct{ secret, day, region, product string }
	keyCache struct {
		mu  sync.RWMutex
		key map[scope][sha256.Size]byte
	}
)

// maxKeys bounds keyCache: secrets in use today, times regions.
const maxKeys = 1024

// derive gives the signing key of a scope, and whether it was known already.
func (k *keyCache) derive(secret, day, region, product string) (key [sha256.Size]byte, known bool) {
	k.mu.RLock()
	key, known = k.key[scope{secret, day, region, product}]
	k.mu.RUnlock()
	if known {
		return key, true
	}
	next := []byte("aliyun_v4" + secret)
	for _, part := range [...]string{day, region, product, terminator} {
		mac := hmac.New(sha256.New, next)
		mac.Write([]byte(part))
		next = mac.Sum(nil)
	}
	return [sha256.Size]byte(next), false
}

// keep remembers a key. A full cache loses any other one: what is in use comes
// back with its next request.
func (k *keyCache) keep(secret, day, region, product string, key [sha256.Size]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		k.key = make(map[scope][sha256.Size]byte)
	}
	for s := range k.key {
		if len(k.key) < maxKeys {
			break
		}
		delete(k.key, s)
	}
	// Clones, for the parts of a header would keep all of it.
	k.key[scope{strings.Clone(secret), strings.Clone(day), strings.Clone(region), strings.Clone(product)}] = key
}
