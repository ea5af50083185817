// Package signature implements the OSS request signatures V1 (HMAC-SHA1) and V4
// (HMAC-SHA256), in the header and in the URL of a request, for signing and for
// verifying. It also implements the RPC signature of the STS call AssumeRole.
//
// [Parse] finds who a request claims to be from; [Auth.Verify] proves the claim
// with the secret of that access key. Package ram knows who owns a key and what the
// owner may do.
//
// Source: OSS API reference, "Include signature V4 in the Authorization
// header", "Add signatures to URLs", "Include signatures in the Authorization
// header"; the signers of the official SDKs.
package signature

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// MaxSkew is how far the time of a request signed in a header may be from the
// server's, either way.
//
// Source: OSS error RequestTimeTooSkewed.
const MaxSkew = 15 * time.Minute

// MaxExpires is how long a V4 URL may be valid.
//
// Source: OSS API reference, x-oss-expires, 1 to 604,800 seconds.
const MaxExpires = 7 * 24 * time.Hour

// maxAccessKeyID bounds the access key id a request may name, in bytes.
const maxAccessKeyID = 128

// A Target is the resource of a request, decoded: the canonical resource of both
// schemes is built from it. The zero Target is the service.
type Target struct {
	Bucket string
	Key    string // only with Bucket
}

// A Scheme is a version of the signature.
type Scheme uint8

// The schemes. The zero value is none of them.
const (
	V1 Scheme = iota + 1
	V4
)

// String returns the name that OSS uses in prose.
func (s Scheme) String() string {
	switch s {
	case V1:
		return "V1"
	case V4:
		return "V4"
	}
	return "none"
}

// Credentials are an access key. Token is empty unless the key is a temporary key
// from AssumeRole.
type Credentials struct{ ID, Secret, Token string }

// An Auth is what a request says about its sender. None of it is proved before
// Verify.
type Auth struct {
	AccessKeyID   string
	SecurityToken string // of a temporary key; else empty
	Scheme        Scheme
	Presigned     bool // in the URL rather than in the header

	// Time is when the request was signed. It is zero for a V1 URL, which does not
	// contain it. For a V1 header with two dates it is that of Date and, after
	// Verify, the date that was signed.
	Time time.Time
	// Expires is when a URL ceases to be valid; zero for a header.
	Expires time.Time

	// Region and Product are the scope of a V4 signature, such as "cn-hangzhou" and
	// "oss". Region may be empty: a client without a region sends none.
	Region, Product string

	signature  string    // as received
	stamps     [2]string // possible date lines of the string to sign, as received
	stampTimes [2]time.Time
	day        string   // V4: yyyymmdd of the scope
	additional []string // V4: names of additional headers, lower case, sorted, distinct
}

// Parse determines the scheme that r is signed with and reads what it says. It
// returns nil, nil for an anonymous request, and an *Error for one that is neither
// signed properly nor unsigned.
func Parse(r *http.Request) (*Auth, error) {
	header := r.Header["Authorization"]
	if len(header) > 1 {
		return nil, invalidArgument("Authorization", "", "Only one Authorization header is allowed.")
	}
	q, err := findQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if len(header) == 0 || header[0] == "" {
		switch {
		case q.v4() && q.v1():
			return nil, invalidArgument("OSSAccessKeyId", "", "Only one signature version is allowed in a URL.")
		case q.v4():
			return q.parseV4(r)
		case q.v1():
			return q.parseV1()
		}
		return nil, nil
	}
	if q.v4() || q.v1() {
		return nil, invalidArgument("Authorization", "", "Only one of the Authorization header and the signature in the URL is allowed.")
	}
	scheme, rest, _ := strings.Cut(header[0], " ")
	rest = strings.TrimSpace(rest)
	switch scheme {
	case algorithmV4:
		return parseHeaderV4(r, rest)
	case "OSS":
		return parseHeaderV1(r, rest)
	case "OSS2":
		return nil, invalidArgument("Authorization", scheme, "Signature version 2 is not supported; use version 4.")
	}
	return nil, invalidArgument("Authorization", scheme, "The Authorization header is not of a known signature version.")
}

// Verify proves that the sender of r knows secret, which is that of
// a.AccessKeyID, and that r is fresh at now. It tries the targets in turn,
// since some clients address a bucket in ways that can be read as two targets,
// and returns the one that was signed. The error is an *Error.
//
// It takes some microseconds and reads nothing but r's method, URL and
// headers. a must come from Parse(r).
//
// A V1 signature covers neither the parameters of listings nor the boundary
// between key and query; that is a property of the scheme.
func (a *Auth) Verify(r *http.Request, targets []Target, secret string, now time.Time) (Target, error) {
	if err := a.checkTime(now); err != nil {
		return Target{}, err
	}
	c := newCanon()
	defer c.free()
	if a.Scheme == V4 {
		return a.verifyV4(c, r, targets, secret)
	}
	return a.verifyV1(c, r, targets, secret, now)
}

// checkTime checks the times that do not depend on what was signed.
func (a *Auth) checkTime(now time.Time) error {
	switch {
	case a.Presigned && a.Scheme == V4 && a.Time.Sub(now) > MaxSkew:
		return &Error{Code: AccessDenied, EC: "0002-00000235", Message: "The signed URL is used before its x-oss-date.", RequestTime: a.Time, ServerTime: now}
	case a.Presigned && now.After(a.Expires):
		return &Error{Code: AccessDenied, EC: "0002-00000069", Message: "Request has expired.", RequestTime: a.Expires, ServerTime: now}
	case a.Presigned:
		return nil
	}
	if fresh(a.stampTimes[0], now) || (a.stamps[1] != "" && fresh(a.stampTimes[1], now)) {
		return nil
	}
	return tooSkewed(a.Time, now)
}

func fresh(t, now time.Time) bool { return now.Sub(t).Abs() <= MaxSkew }

// Names of headers and parameters.
const (
	headerDate      = "X-Oss-Date"
	headerToken     = "X-Oss-Security-Token"
	headerTokenV1   = "Security-Token" // Python SDK v2 under V1; not signed
	headerSHA256    = "X-Oss-Content-Sha256"
	unsignedPayload = "UNSIGNED-PAYLOAD"

	paramVersion    = "x-oss-signature-version"
	paramCredential = "x-oss-credential"
	paramDate       = "x-oss-date"
	paramExpires    = "x-oss-expires"
	paramAdditional = "x-oss-additional-headers"
	paramToken      = "x-oss-security-token"
	paramSignature  = "x-oss-signature"

	paramKeyV1       = "OSSAccessKeyId"
	paramExpiresV1   = "Expires"
	paramSignatureV1 = "Signature"
	paramTokenV1     = "security-token"
)

// authParams are the parameters that may sign a URL.
var authParams = [...]string{
	paramVersion, paramCredential, paramDate, paramExpires, paramAdditional, paramToken, paramSignature,
	paramKeyV1, paramExpiresV1, paramSignatureV1, paramTokenV1,
}

// A queryAuth is the authParams of a URL, by their index.
type queryAuth struct {
	value [len(authParams)]string
	count [len(authParams)]int
}

func (q *queryAuth) get(name string) string { return q.value[slices.Index(authParams[:], name)] }

func (q *queryAuth) has(name string) bool { return q.count[slices.Index(authParams[:], name)] > 0 }

func (q *queryAuth) v4() bool { return q.has(paramVersion) }

// v1 does not match the RPC call of STS, which also has a Signature.
func (q *queryAuth) v1() bool {
	return q.has(paramKeyV1) || q.has(paramSignatureV1) && q.has(paramExpiresV1)
}

// findQuery reads the authParams of a raw query.
func findQuery(raw string) (q queryAuth, err error) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		i := slices.Index(authParams[:], name) // none of them is ever encoded
		if i < 0 {
			continue
		}
		if strings.ContainsAny(value, "%+;") {
			decoded, ok := appendDecoded(nil, value)
			if !ok {
				return q, invalidArgument(name, value, "The query string is not properly encoded.")
			}
			value = string(decoded)
		}
		q.value[i] = value
		q.count[i]++
	}
	if q.v4() || q.v1() {
		for i, n := range q.count {
			if n > 1 {
				return q, invalidArgument(authParams[i], "", "The parameter is given more than once.")
			}
		}
	}
	return q, nil
}

// maxUnix is the last second of the year 9999.
const maxUnix = 253402300799

// parseTime reads the two forms in which clients write a date.
func parseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	if t, err := time.Parse(layoutV4, s); err == nil {
		return t, true
	}
	if t, err := http.ParseTime(s); err == nil {
		return t, true
	}
	// A year of five digits is a valid date. Use the latest time that is supported.
	if f := strings.Fields(s); len(f) == 6 && len(f[3]) == 5 && strings.Trim(f[3], "0123456789") == "" {
		return time.Unix(maxUnix, 0).UTC(), true
	}
	return time.Time{}, false
}

// checkAdditional rejects a request that lacks a header that it claims to have
// signed. This is a mistake of the sender, not a wrong signature.
//
// Source: Go SDK v2, TestPresignExtra.
func (a *Auth) checkAdditional(r *http.Request) error {
	for _, name := range a.additional {
		_, there := r.Header[http.CanonicalHeaderKey(name)]
		if !there && movedHeader(r, name) == "" && (name != "content-length" || r.ContentLength != 0) {
			return invalidArgument(name, "", "A header named as an additional signed header is missing.")
		}
	}
	return nil
}

// splitNames reads the names of additional headers. Clients send them sorted and in
// lower case. A client that does not still signs them in that form.
func splitNames(s string) []string {
	if s == "" {
		return nil
	}
	names := strings.Split(strings.ToLower(s), ";")
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	slices.Sort(names)
	return slices.Compact(names)
}

func bounded(s string) string { return s[:min(len(s), 200)] }
