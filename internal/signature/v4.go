package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
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
	key, known := signingKeys.derive(secret, a.day, a.Region, a.Product)
	var failed error
	for attempt := 0; ; attempt++ {
		for _, target := range targets {
			canonical := c.canonicalV4(r, target, a.additional)
			text := c.stringToSignV4(canonical, a.stamps[0], a.day, a.Region, a.Product)
			want := signatureV4(&key, c.out[text.from:text.to])
			if subtle.ConstantTimeCompare(want[:], []byte(a.signature)) == 1 {
				if !known {
					signingKeys.remember(secret, a.day, a.Region, a.Product, key)
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

// readV4 takes the parts of r that V4 signs.
func (c *canon) readV4(r *http.Request, additional []string, presigned bool) bool {
	c.readHeaders(r, true, additional)
	ok := c.readQuery(r.URL.RawQuery, true, func(name []byte) bool {
		return !presigned || string(name) != paramSignature
	})
	c.sortParams()
	return ok
}

// canonicalV4 writes the canonical request into c.out and returns its span.
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

// stringToSignV4 writes the string to sign after the canonical request.
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

// signingKeys caches the signing keys of the last valid signatures. Unauthenticated
// clients cannot fill it.
var signingKeys keyCache

type (
	scope    struct{ secret, day, region, product string }
	keyCache struct {
		mu  sync.RWMutex
		key map[scope][sha256.Size]byte
	}
)

// maxKeys bounds keyCache: secrets in use today, times regions.
const maxKeys = 1024

// derive returns the signing key of a scope, and whether the key was cached.
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

// remember caches a key. A full cache drops an arbitrary other key; a key in use is
// cached again at its next request.
func (k *keyCache) remember(secret, day, region, product string, key [sha256.Size]byte) {
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
	// Clone: a substring of a header would keep the whole header in memory.
	k.key[scope{strings.Clone(secret), strings.Clone(day), strings.Clone(region), strings.Clone(product)}] = key
}

// parseHeaderV4 reads what follows the algorithm:
//
//	Credential=<scope>,AdditionalHeaders=<a;b>,Signature=<hex>
func parseHeaderV4(r *http.Request, rest string) (*Auth, error) {
	malformed := func() error {
		return invalidArgument("Authorization", "", "The Authorization header is malformed.")
	}
	a := &Auth{Scheme: V4, SecurityToken: r.Header.Get(headerToken)}
	var credential, additional string
	for rest != "" {
		var field string
		field, rest, _ = strings.Cut(rest, ",")
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		var into *string
		switch name {
		case "Credential":
			into = &credential
		case "AdditionalHeaders":
			into = &additional
		case "Signature":
			into = &a.signature
		default:
			return nil, malformed()
		}
		if *into != "" {
			return nil, malformed()
		}
		*into = value
	}
	if credential == "" || a.signature == "" {
		return nil, malformed()
	}
	if err := a.parseCredential("Authorization", credential); err != nil {
		return nil, err
	}
	a.additional = splitNames(additional)
	if err := a.checkAdditional(r); err != nil {
		return nil, err
	}

	// The Go SDK v1 signs its Date header instead of x-oss-date.
	stamp := r.Header.Get(headerDate)
	if stamp == "" {
		stamp = r.Header.Get("Date")
	}
	t, ok := parseTime(stamp)
	if !ok {
		return nil, noDate()
	}
	a.stamps[0], a.stampTimes[0], a.Time = stamp, t, t
	if err := a.checkDay("Authorization"); err != nil {
		return nil, err
	}
	return a, nil
}

// parseV4 reads a V4 URL.
func (q *queryAuth) parseV4(r *http.Request) (*Auth, error) {
	if v := q.get(paramVersion); v != algorithmV4 {
		return nil, invalidArgument(paramVersion, v, "The signature version is not supported.")
	}
	for _, name := range [...]string{paramCredential, paramDate, paramExpires, paramSignature} {
		if q.get(name) == "" {
			return nil, invalidArgument(name, "", "A signed URL needs the parameters x-oss-credential, x-oss-date, x-oss-expires and x-oss-signature.")
		}
	}
	a := &Auth{
		Scheme: V4, Presigned: true,
		SecurityToken: q.get(paramToken),
		signature:     q.get(paramSignature),
		additional:    splitNames(q.get(paramAdditional)),
	}
	if err := a.checkAdditional(r); err != nil {
		return nil, err
	}
	if a.SecurityToken == "" {
		a.SecurityToken = r.Header.Get(headerToken) // signed as a header, then
	}
	if err := a.parseCredential(paramCredential, q.get(paramCredential)); err != nil {
		return nil, err
	}
	stamp := q.get(paramDate)
	t, err := time.Parse(layoutV4, stamp)
	if err != nil {
		return nil, invalidArgument(paramDate, stamp, "The date must be of the form yyyymmddThhmmssZ.")
	}
	a.stamps[0], a.stampTimes[0], a.Time = stamp, t, t
	seconds, err := strconv.ParseInt(q.get(paramExpires), 10, 64)
	if err != nil || seconds < 1 || seconds > int64(MaxExpires/time.Second) {
		return nil, &Error{
			Code: InvalidArgument, EC: "0002-00000232", Argument: paramExpires, Value: bounded(q.get(paramExpires)),
			Message: "x-oss-expires must be between 1 and 604800 seconds.",
		}
	}
	a.Expires = t.Add(time.Duration(seconds) * time.Second)
	if err := a.checkDay(paramCredential); err != nil {
		return nil, err
	}
	return a, nil
}

// parseCredential reads "<id>/<yyyymmdd>/<region>/<product>/aliyun_v4_request".
func (a *Auth) parseCredential(argument, credential string) error {
	var f [5]string
	rest, ok := credential, true
	for i := range f[:4] {
		if f[i], rest, ok = strings.Cut(rest, "/"); !ok {
			break
		}
	}
	f[4] = rest
	if !ok || f[0] == "" || len(f[0]) > maxAccessKeyID || f[3] == "" || !isScopePart(f[2]) || !isScopePart(f[3]) || f[4] != terminator {
		return invalidArgument(argument, credential, "The credential must be of the form <AccessKeyId>/<date>/<region>/<product>/aliyun_v4_request.")
	}
	if _, err := time.Parse(layoutDay, f[1]); err != nil {
		return badDay(argument, f[1])
	}
	a.AccessKeyID, a.day, a.Region, a.Product = f[0], f[1], f[2], f[3]
	return nil
}

// checkDay checks that the scope has the day of signing: a signing key is valid for
// one day only.
func (a *Auth) checkDay(argument string) error {
	var day [len(layoutDay)]byte
	if string(a.Time.UTC().AppendFormat(day[:0], layoutDay)) != a.day {
		return badDay(argument, a.day)
	}
	return nil
}

func badDay(argument, day string) error {
	return &Error{
		Code: InvalidArgument, EC: "0002-00000223", Argument: argument, Value: bounded(day),
		Message: "The date in the credential must be that of the request, of the form yyyymmdd.",
	}
}

// isScopePart reports whether s consists of letters, digits and '-', as regions and
// products do, so that a scope has only one reading.
func isScopePart(s string) bool {
	for i := range len(s) {
		if c := lower(s[i]); (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
