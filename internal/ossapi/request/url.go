package request

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
)

// Errors of addresses.
var (
	ErrInvalidURI        = errors.New("the URL is not properly encoded")
	ErrInvalidBucketName = errors.New("the bucket name is not legal")
	ErrInvalidObjectName = errors.New("the object name is not legal")
)

// An Address is the service, bucket or object that a URL names. An empty Bucket
// means the service, an empty Key the bucket.
type Address struct {
	Bucket, Key string

	// alternative is the key of a request that carries its bucket both in the host
	// and in the path, as ali-oss with sldEnable sends it to an IP address. Only the
	// signature shows which of the two readings is meant. hasAlternative is also set
	// if that key is empty.
	alternative    string
	hasAlternative bool

	// undefined is set for the bucket "undefined" in a host name without a key, which
	// ali-oss sends if it has no bucket. The signature decides here, too.
	undefined bool
}

// targets returns the readings of a, the most likely one first.
func (a *Address) targets() []signature.Target {
	first := signature.Target{Bucket: a.Bucket, Key: a.Key}
	switch {
	case a.hasAlternative:
		return []signature.Target{first, {Bucket: a.Bucket, Key: a.alternative}}
	case a.undefined:
		return []signature.Target{first, {}}
	}
	return []signature.Target{first}
}

// Level returns the API level of a.
func (a *Address) Level() Level {
	switch {
	case a.Bucket == "":
		return ServiceLevel
	case a.Key == "":
		return BucketLevel
	}
	return ObjectLevel
}

// A Resolver finds the bucket and the key of a request. The zero value knows only
// the public host names.
//
// Source: OSS developer guide, "Access OSS"; the URL builders of the official
// SDKs.
type Resolver struct {
	hosts  []string          // base hosts, lower case, no port
	cnames map[string]string // host to bucket
}

// NewResolver returns a resolver for base hosts and CNAMEs. Host names may be in
// any case and may end in a dot.
func NewResolver(hosts []string, cnames map[string]string) Resolver {
	r := Resolver{cnames: make(map[string]string, len(cnames))}
	for _, h := range hosts {
		r.hosts = append(r.hosts, strings.ToLower(strings.Trim(h, ".")))
	}
	for h, bucket := range cnames {
		r.cnames[strings.ToLower(strings.TrimSuffix(h, "."))] = bucket
	}
	return r
}

// Resolve splits the URL of r into bucket and key. The path is decoded once, after the
// bucket is split off, and never normalised: "//", "." and ".." are part of a
// key. Errors: ErrInvalidURI, ErrInvalidBucketName, ErrInvalidObjectName.
func (s *Resolver) Resolve(r *http.Request) (Address, error) {
	path := r.URL.RawPath // the path as received, if Go would encode it differently
	if path == "" {
		path = r.URL.EscapedPath()
	}
	path = strings.TrimPrefix(path, "/")
	bucket, found := s.BucketOfHost(r.Host)
	if !found {
		bucket, key, _ := strings.Cut(path, "/")
		return checked(Address{Bucket: bucket, Key: key})
	}
	if bucket == "" {
		return Address{}, ErrInvalidBucketName
	}
	a := Address{Bucket: bucket, Key: path, undefined: bucket == "undefined" && path == ""}
	if first, rest, _ := strings.Cut(path, "/"); first == bucket {
		a.alternative, a.hasAlternative = rest, true
	}
	return checked(a)
}

func checked(a Address) (Address, error) {
	a, err := unescape(a)
	if err != nil {
		return a, err
	}
	return a, a.check()
}

func unescape(a Address) (Address, error) {
	var err error
	for _, s := range []*string{&a.Bucket, &a.Key, &a.alternative} {
		if *s, err = Unescape(*s); err != nil {
			return a, ErrInvalidURI
		}
	}
	return a, nil
}

// Unescape decodes a name as OSS does in paths, x-oss-copy-source and
// x-oss-symlink-target: a '+' is a space, and clients write a plus as "%2B".
func Unescape(s string) (string, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil // no allocation for the usual key
	}
	return url.PathUnescape(strings.ReplaceAll(s, "+", " "))
}

// BucketOfHost returns the bucket that a Host header names. It reports false for
// a host that names none, so that the path does.
func (s *Resolver) BucketOfHost(header string) (bucket string, found bool) {
	host := hostname(header)
	if host == "" || host == "localhost" {
		return "", false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return "", false
	}
	var base string // the longest base host that fits
	for _, h := range s.hosts {
		if host == h {
			return "", false
		}
		if len(h) > len(base) && hasLabel(host, h) {
			base = h
		}
	}
	if public := publicHost(host); base == "" && public != "" {
		if host == public {
			return "", false
		}
		base = public
	}
	if base != "" {
		return host[:len(host)-len(base)-1], true
	}
	bucket, found = s.cnames[host]
	return bucket, found
}

// hasLabel reports whether host is a non-empty prefix, a dot and base.
func hasLabel(host, base string) bool {
	return len(host) > len(base)+1 && strings.HasSuffix(host, base) && host[len(host)-len(base)-1] == '.'
}

// publicHost returns the part oss-<region>.aliyuncs.com of a host, with or without
// "-internal" after the region. It returns "" if host has no such part.
//
// ali-oss sends such a host, whatever address it connects to.
func publicHost(host string) string {
	rest, ok := strings.CutSuffix(host, ".aliyuncs.com")
	if !ok {
		return ""
	}
	label := rest[strings.LastIndexByte(rest, '.')+1:]
	if !strings.HasPrefix(label, "oss-") {
		return ""
	}
	return host[len(rest)-len(label):]
}

// hostname returns a Host header without port, brackets and final dot, in lower
// case.
func hostname(host string) string {
	if strings.IndexByte(host, ':') >= 0 {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// check validates the names of a by the rules of OSS.
func (a *Address) check() error {
	if (a.Bucket != "" || a.Key != "") && !stocktake.ValidBucketName(a.Bucket) {
		return ErrInvalidBucketName
	}
	if a.Key != "" && !stocktake.ValidKey(a.Key) {
		return ErrInvalidObjectName
	}
	return nil
}

// Keys maps access keys to their secrets and owners. [ram.Directory] implements it.
type Keys interface {
	// Key returns the secret of an access key and its owner. Errors:
	// ram.ErrNoSuchAccessKey, ErrKeyDisabled, ErrTokenInvalid, ErrTokenExpired,
	// ErrTokenRequired.
	Key(id, token string) (secret string, who ram.Identity, err error)
}

// Authenticate returns the signer of r, a request to a; the zero identity is an
// anonymous caller. It reads the URL and the headers only, and decides which
// reading of the URL is meant. Errors: *signature.Error, those of keys and of
// [Resolver.Resolve].
func (a *Address) Authenticate(r *http.Request, keys Keys, now time.Time) (who ram.Identity, err error) {
	auth, err := signature.Parse(r)
	if err != nil || auth == nil {
		return who, err
	}
	secret, who, err := keys.Key(auth.AccessKeyID, auth.SecurityToken)
	if err != nil {
		return ram.Identity{}, err
	}
	target, err := auth.Verify(r, a.targets(), secret, now)
	if err != nil {
		return ram.Identity{}, err
	}
	a.Bucket, a.Key = target.Bucket, target.Key
	return who, a.check()
}

// Params are the parameters of a query, decoded, in the order they came.
type Params []Param

// A Param is one parameter. "name" and "name=" are equivalent: some SDKs write the
// second for the first.
type Param struct{ Name, Value string }

// maxParams bounds the parameters of one request. No operation has a quarter of
// that.
const maxParams = 64

// ParseParams parses a query. '+' is a space. A name may occur only once: the
// signature would cover both values, but a handler would read only one.
func ParseParams(query string) (Params, error) {
	var ps Params
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := unescapeQuery(name)
		if err != nil {
			return nil, err
		}
		if value, err = unescapeQuery(value); err != nil {
			return nil, err
		}
		if _, twice := ps.Lookup(name); twice {
			return nil, InvalidArgument(name, value, "the parameter is given more than once")
		}
		if len(ps) == maxParams {
			return nil, InvalidArgument(name, value, "too many parameters")
		}
		ps = append(ps, Param{name, value})
	}
	return ps, nil
}

func unescapeQuery(s string) (string, error) {
	if strings.ContainsAny(s, "%+") {
		var err error
		if s, err = url.QueryUnescape(s); err != nil {
			return "", ErrInvalidURI
		}
	}
	if !utf8.ValidString(s) {
		return "", ErrInvalidURI
	}
	return s, nil
}

// Lookup returns the value of a parameter and whether it is there.
func (ps Params) Lookup(name string) (string, bool) {
	for i := range ps {
		if ps[i].Name == name {
			return ps[i].Value, true
		}
	}
	return "", false
}

// Get returns the value of a parameter, or "" if it is missing.
func (ps Params) Get(name string) string {
	v, _ := ps.Lookup(name)
	return v
}

// Has reports whether a parameter is there, with or without a value.
func (ps Params) Has(name string) bool {
	_, ok := ps.Lookup(name)
	return ok
}

// Int returns a number from low to high, or fallback if the parameter is missing
// or empty.
func (ps Params) Int(name string, fallback, low, high int) (int, error) {
	v := ps.Get(name)
	if v == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, InvalidArgument(name, v, "a number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high)+" is expected")
	}
	return n, nil
}

// Int64 returns a required number that is not negative.
func (ps Params) Int64(name string) (int64, error) {
	v := ps.Get(name)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return 0, InvalidArgument(name, v, "a number that is not negative is expected")
	}
	return n, nil
}

// URLEncoding reports whether the names in the answer are to be percent-encoded.
func (ps Params) URLEncoding() (bool, error) {
	switch v := ps.Get("encoding-type"); v {
	case "":
		return false, nil
	case "url":
		return true, nil
	default:
		return false, InvalidArgument("encoding-type", v, "only url is known")
	}
}

// Version returns the versionId, or "" for the current version.
func (ps Params) Version() (string, error) {
	v, ok := ps.Lookup("versionId")
	if ok && !PlausibleVersion(v) {
		return "", InvalidArgument("versionId", v, "no version has such an id")
	}
	return v, nil
}

// PlausibleVersion reports whether id can be a version id. Any other id is an
// invalid argument, not a missing version.
func PlausibleVersion(id string) bool {
	if id == "" || len(id) > 1024 {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return false
		}
	}
	return true
}

// PossibleVersion reports whether id has the form of OSS's version ids, or is the
// id of null versions.
func PossibleVersion(id string) bool {
	return id == object.NullVersion || strings.HasPrefix(id, "CAE") && PlausibleVersion(id)
}

// ParseDigits parses a whole number without a sign. A number that is too large for
// an int64 becomes the largest int64, which exceeds every valid value.
func ParseDigits(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1, true
	}
	return n, true
}
