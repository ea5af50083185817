package bucketxml

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// MaxCORS bounds the document of PutBucketCors, in bytes.
//
// Source: OSS API reference, PutBucketCors: at most 10 rules in at most 16 KB.
const MaxCORS = 16 << 10

const (
	maxCORSRules = 10
	maxCORSAge   = 999_999_999 // seconds
)

var corsMethods = []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPost, http.MethodHead}

// ParseCORS reads a CORSConfiguration and checks its rules. Errors:
// [*stocktake.MalformedXMLError], [*stocktake.InvalidArgumentError].
func ParseCORS(doc *ossxml.Element) (*object.CORS, error) {
	rules := &object.CORS{}
	for i := range doc.Children {
		switch e := &doc.Children[i]; e.Name {
		case "CORSRule":
			if len(rules.Rules) == maxCORSRules {
				return nil, request.InvalidArgument("CORSRule", "", "a bucket has at most 10 rules")
			}
			r, err := parseCORSRule(e)
			if err != nil {
				return nil, err
			}
			rules.Rules = append(rules.Rules, r)
		case "ResponseVary":
			v := strings.ToLower(strings.TrimSpace(e.Text))
			if v != "true" && v != "false" {
				return nil, request.InvalidArgument("ResponseVary", e.Text, "true or false is expected")
			}
			rules.ResponseVary = v == "true"
		}
	}
	if len(rules.Rules) == 0 {
		return nil, ossxml.Malformed("no CORSRule")
	}
	return rules, nil
}

func parseCORSRule(e *ossxml.Element) (r object.CORSRule, err error) {
	for i := range e.Children {
		child := &e.Children[i]
		text := strings.TrimSpace(child.Text)
		reason := ""
		switch child.Name {
		case "AllowedOrigin":
			if !validOrigin(text) {
				reason = "an origin such as https://example.com is expected, with at most one *"
			}
			r.AllowedOrigins = append(r.AllowedOrigins, text)
		case "AllowedMethod":
			if !slices.Contains(corsMethods, text) {
				reason = "GET, PUT, DELETE, POST or HEAD is expected"
			}
			r.AllowedMethods = append(r.AllowedMethods, text)
		case "AllowedHeader":
			if !validHeaderName(strings.Replace(text, "*", "x", 1)) {
				reason = "the name of a header is expected, with at most one *"
			}
			r.AllowedHeaders = append(r.AllowedHeaders, text)
		case "ExposeHeader":
			if !validHeaderName(text) {
				reason = "the name of a header is expected, without *"
			}
			r.ExposeHeaders = append(r.ExposeHeaders, text)
		case "MaxAgeSeconds":
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 || n > maxCORSAge || r.MaxAge != nil {
				reason = "one number from 0 to 999999999 is expected"
			}
			r.MaxAge = &n
		}
		if reason != "" {
			return r, request.InvalidArgument(child.Name, child.Text, reason)
		}
	}
	switch {
	case len(r.AllowedOrigins) == 0:
		return r, ossxml.Malformed("a CORSRule has no AllowedOrigin")
	case len(r.AllowedMethods) == 0:
		return r, ossxml.Malformed("a CORSRule has no AllowedMethod")
	}
	return r, nil
}

// validOrigin reports whether s can be an origin or a pattern of origins.
func validOrigin(s string) bool {
	return s != "" && strings.Count(s, "*") <= 1 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7F })
}

// validHeaderName reports whether s is the name of a header except for "*".
//
// Source: RFC 9110, section 5.6.2.
func validHeaderName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9'
		return r >= 0x7F || !letter && !strings.ContainsRune("!#$%&'+-.^_`|~", r)
	})
}

// WriteCORS writes a CORSConfiguration.
func WriteCORS(x *ossxml.Writer, rules *object.CORS) {
	x.Start("CORSConfiguration")
	for i := range rules.Rules {
		corsRule(x, &rules.Rules[i])
	}
	x.Bool("ResponseVary", rules.ResponseVary)
	x.End("CORSConfiguration")
}

func corsRule(x *ossxml.Writer, r *object.CORSRule) {
	x.Start("CORSRule")
	for _, list := range []struct {
		tag    string
		values []string
	}{
		{"AllowedOrigin", r.AllowedOrigins},
		{"AllowedMethod", r.AllowedMethods},
		{"AllowedHeader", r.AllowedHeaders},
		{"ExposeHeader", r.ExposeHeaders},
	} {
		for _, v := range list.values {
			x.Text(list.tag, v)
		}
	}
	if r.MaxAge != nil {
		x.Int("MaxAgeSeconds", *r.MaxAge)
	}
	x.End("CORSRule")
}
