package object

import (
	"slices"
	"strings"
)

// CORS says what web pages of other origins may do with a bucket. An object store keeps it as JSON,
// so the names of its fields are a file format.
//
// Source: OSS API reference, PutBucketCors.
type CORS struct {
	Rules        []CORSRule // 1 to 10; the first match applies
	ResponseVary bool       // send Vary: Origin in every answer
}

// A CORSRule allows requests of some origins. A "*" in an origin or a header
// stands for any characters; there is at most one in each.
type CORSRule struct {
	AllowedOrigins []string // at least one, such as "https://*.example.com"
	AllowedMethods []string // at least one of GET, PUT, DELETE, POST, HEAD
	AllowedHeaders []string // that requests may send, in any case
	ExposeHeaders  []string // of an answer that the page may read
	MaxAge         *int64   // seconds for which a browser may keep the answer to a preflight; nil: it decides
}

// Match returns the first rule that allows a request, or nil. headers are those
// that a preflight request asks for; other requests need none.
func (c *CORS) Match(origin, method string, headers []string) *CORSRule {
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.Origin(origin) != "" && slices.Contains(r.AllowedMethods, method) && r.allowsHeaders(headers) {
			return r
		}
	}
	return nil
}

// Origin returns the value of Access-Control-Allow-Origin: "*" if the rule allows
// every origin, origin itself if it allows that one, else "".
func (r *CORSRule) Origin(origin string) string {
	if slices.Contains(r.AllowedOrigins, "*") {
		return "*"
	}
	if slices.ContainsFunc(r.AllowedOrigins, func(pattern string) bool { return matches(pattern, origin) }) {
		return origin
	}
	return ""
}

func (r *CORSRule) allowsHeaders(headers []string) bool {
	for _, h := range headers {
		allowed := func(pattern string) bool { return matches(strings.ToLower(pattern), strings.ToLower(h)) }
		if !slices.ContainsFunc(r.AllowedHeaders, allowed) {
			return false
		}
	}
	return true
}

// matches reports whether text is pattern, in which one "*" stands for any
// characters.
func matches(pattern, text string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	return len(text) >= len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}
