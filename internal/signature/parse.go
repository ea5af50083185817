package signature

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

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

// v1 leaves alone the RPC call of STS, which has a Signature, too.
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
	if !ok || f[0] == "" || len(f[0]) > maxAccessKeyID || f[3] == "" || !plain(f[2]) || !plain(f[3]) || f[4] != terminator {
		return invalidArgument(argument, credential, "The credential must be of the form <AccessKeyId>/<date>/<region>/<product>/aliyun_v4_request.")
	}
	if _, err := time.Parse(layoutDay, f[1]); err != nil {
		return badDay(argument, f[1])
	}
	a.AccessKeyID, a.day, a.Region, a.Product = f[0], f[1], f[2], f[3]
	return nil
}

// plain reports whether s is of letters, digits and '-', as regions and
// products are, so that a scope reads in one way only.
func plain(s string) bool {
	for i := range len(s) {
		if c := lower(s[i]); (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// checkDay holds the scope to the day of signing: a signing key of one day is
// good for that day only.
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

// parseHeaderV1 reads "<id>:<base64>". Of the dates that may have been signed,
// Date comes first; ali-oss sends x-oss-date and signs that in its place.
func parseHeaderV1(r *http.Request, rest string) (*Auth, error) {
	id, signature, ok := strings.Cut(rest, ":")
	if !ok || id == "" || len(id) > maxAccessKeyID || signature == "" {
		return nil, invalidArgument("Authorization", "", "The Authorization header is malformed.")
	}
	a := &Auth{Scheme: V1, AccessKeyID: id, signature: signature, SecurityToken: r.Header.Get(headerToken)}
	if a.SecurityToken == "" {
		a.SecurityToken = r.Header.Get(headerTokenV1)
	}
	n := 0
	for _, stamp := range [...]string{r.Header.Get("Date"), r.Header.Get(headerDate)} {
		if t, ok := parseTime(stamp); ok {
			a.stamps[n], a.stampTimes[n] = stamp, t
			n++
		}
	}
	if n == 0 {
		return nil, noDate()
	}
	a.Time = a.stampTimes[0]
	return a, nil
}

// parseV1 reads a V1 URL.
func (q *queryAuth) parseV1() (*Auth, error) {
	id, expires, signature := q.get(paramKeyV1), q.get(paramExpiresV1), q.get(paramSignatureV1)
	if id == "" || expires == "" || signature == "" {
		return nil, &Error{Code: AccessDenied, Message: "Query string authentication requires the Signature, Expires and OSSAccessKeyId parameters."}
	}
	if len(id) > maxAccessKeyID {
		return nil, invalidArgument(paramKeyV1, id, "The access key id is too long.")
	}
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || seconds < 0 || seconds > maxUnix {
		return nil, &Error{Code: AccessDenied, EC: "0002-00000070", Message: "Invalid date (should be seconds since epoch)."}
	}
	return &Auth{
		Scheme: V1, Presigned: true, AccessKeyID: id, SecurityToken: q.get(paramTokenV1),
		Expires: time.Unix(seconds, 0).UTC(), signature: signature, stamps: [2]string{expires},
	}, nil
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
	t, err := http.ParseTime(s)
	return t, err == nil
}

// checkAdditional refuses a request that lacks a header it says it has signed,
// which is a mistake of the sender and no wrong signature.
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

// splitNames reads the names of additional headers. Clients send them sorted
// and in lower case; one that does not signed them so all the same.
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
