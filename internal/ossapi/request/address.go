package request

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
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

// Find returns the operation of a request. Errors: ErrNotImplemented, ErrMethod,
// *stocktake.InvalidArgumentError for two sub-resources at once.
//
// A sub-resource of OSS that is not supported, or not on this level, returns
// ErrNotImplemented for every method: the request never falls through to the
// operation on the bucket or object itself. Find ignores unknown parameters, as OSS
// does. OSS has no preconditions for changes to objects either; see
// checkPreconditions.
func (t *Routes[H]) Find(r *http.Request, level Level, q Params) (*Operation[H], error) {
	sub := ""
	for _, p := range q {
		switch {
		case t.subresources[level][p.Name]:
			if sub != "" {
				return nil, InvalidArgument(p.Name, p.Value, "it does not go together with "+sub)
			}
			sub = p.Name
		case NotOffered[p.Name] != "", t.known[p.Name] && !isFilter(level, p.Name):
			return nil, ErrNotImplemented
		}
	}
	for _, o := range t.at[place{r.Method, level, sub}] {
		if o.fits(r, q) && (!q.Has(Extension) || strings.HasPrefix(o.With, Extension)) {
			return o, checkPreconditions(r, level, sub)
		}
	}
	if q.Has(Extension) {
		return nil, ErrNotImplemented // an unknown extension
	}
	return nil, ErrMethod
}

// fits reports whether the condition holds. An empty header counts as present.
func (o *Operation[H]) fits(r *http.Request, q Params) bool {
	if name, ok := strings.CutSuffix(o.With, ":"); ok {
		return len(r.Header[name]) > 0
	}
	name, want, valued := strings.Cut(o.With, "=")
	value, ok := q.Lookup(name)
	return o.With == "" || ok && (!valued || value == want)
}

// isFilter reports whether a parameter that is a sub-resource elsewhere filters
// the operation on this level: ListBuckets takes tagging.
func isFilter(level Level, name string) bool { return level == ServiceLevel && name == "tagging" }

// checkPreconditions rejects preconditions of changes to objects, because a client
// that relies on one must not have it ignored. InitiateMultipartUpload, which
// changes no object, accepts dates and ignores them.
//
// Source: suite of Alibaba's first Go SDK, TestMultipartNegative.
func checkPreconditions(r *http.Request, level Level, sub string) error {
	if level != ObjectLevel || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	names := []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
	if sub == "uploads" {
		names = names[:2]
	}
	for _, name := range names {
		if len(r.Header[name]) > 0 {
			return ErrNotImplemented
		}
	}
	return nil
}
