package ossapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/signature"
)

// An address is what the URL of a request names. A zero bucket is the service
// itself, a zero key the bucket itself.
type address struct {
	bucket, key string

	// alternative is the key of a request that carries its bucket both in the host
	// and in the path, as ali-oss with sldEnable sends it to an IP address. Only
	// the signature tells which of the two readings is meant. hasAlternative is
	// set even if that key is empty.
	alternative    string
	hasAlternative bool

	// undefined marks the bucket "undefined" of a host name without a key, which
	// is what ali-oss calls no bucket at all. Again the signature tells.
	undefined bool
}

// targets are the readings of a, the likelier first.
func (a *address) targets() []signature.Target {
	first := signature.Target{Bucket: a.bucket, Key: a.key}
	switch {
	case a.hasAlternative:
		return []signature.Target{first, {Bucket: a.bucket, Key: a.alternative}}
	case a.undefined:
		return []signature.Target{first, {}}
	}
	return []signature.Target{first}
}

// level is the level of the API that a is on.
func (a *address) level() level {
	switch {
	case a.bucket == "":
		return serviceLevel
	case a.key == "":
		return bucketLevel
	}
	return objectLevel
}

// A resolver finds the bucket and the key of a request.
//
// Source: OSS developer guide, "Access OSS"; the URL builders of the official
// SDKs.
type resolver struct {
	hosts  []string          // base hosts, lower case, no port
	cnames map[string]string // host to bucket
}

func newResolver(hosts []string, cnames map[string]string) resolver {
	r := resolver{cnames: make(map[string]string, len(cnames))}
	for _, h := range hosts {
		r.hosts = append(r.hosts, strings.ToLower(strings.Trim(h, ".")))
	}
	for h, bucket := range cnames {
		r.cnames[strings.ToLower(strings.TrimSuffix(h, "."))] = bucket
	}
	return r
}

// resolve splits a URL into bucket and key. The path is decoded once, after the
// bucket is split off, and never normalised: "//", "." and ".." are part of a
// key. The names may still be illegal.
func (s *resolver) resolve(r *http.Request) (address, error) {
	path := r.URL.RawPath // as it came, if that is not what Go would write
	if path == "" {
		path = r.URL.EscapedPath()
	}
	path = strings.TrimPrefix(path, "/")
	bucket, found := s.bucketOfHost(hostname(r.Host))
	if !found {
		bucket, key, _ := strings.Cut(path, "/")
		return unescape(address{bucket: bucket, key: key})
	}
	if bucket == "" {
		return address{}, errInvalidBucketName
	}
	a := address{bucket: bucket, key: path, undefined: bucket == "undefined" && path == ""}
	if first, rest, _ := strings.Cut(path, "/"); first == bucket {
		a.alternative, a.hasAlternative = rest, true
	}
	return unescape(a)
}

func unescape(a address) (address, error) {
	var err error
	for _, s := range []*string{&a.bucket, &a.key, &a.alternative} {
		if strings.IndexByte(*s, '%') < 0 {
			continue // no allocation for the usual key
		}
		if *s, err = url.PathUnescape(*s); err != nil {
			return a, errInvalidURI
		}
	}
	return a, nil
}

// bucketOfHost finds the bucket that a host name carries. It reports false for
// a host that carries none, so that the path does.
func (s *resolver) bucketOfHost(host string) (bucket string, found bool) {
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

// hasLabel reports whether host is something, a dot and base.
func hasLabel(host, base string) bool {
	return len(host) > len(base)+1 && strings.HasSuffix(host, base) && host[len(host)-len(base)-1] == '.'
}

// publicHost is the part oss-<region>.aliyuncs.com of a host, whatever the
// region; "-internal" ends some of them. Empty if host has no such part.
//
// ali-oss sends such a host to whatever address it is told to connect to.
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

// hostname is a Host header without port, brackets and final dot, in lower
// case.
func hostname(host string) string {
	if strings.IndexByte(host, ':') >= 0 {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// check holds the names of a to the rules of OSS.
func (a *address) check() error {
	if (a.bucket != "" || a.key != "") && !stocktake.ValidBucketName(a.bucket) {
		return errInvalidBucketName
	}
	if a.key != "" && !stocktake.ValidKey(a.key) {
		return errInvalidObjectName
	}
	return nil
}
