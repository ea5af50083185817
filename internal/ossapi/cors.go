package ossapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// Bounds of cross-origin rules.
//
// Source: OSS API reference, PutBucketCors: at most 10 rules in at most 16 KB.
// The bounds on a preflight request are ours.
const (
	maxCORSRules    = 10
	maxCORSDocument = 16 << 10
	maxCORSAge      = 999_999_999 // seconds

	maxPreflightHeaders = 100     // that one request asks for
	maxPreflightLength  = 8 << 10 // bytes of their names
)

var corsMethods = []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPost, http.MethodHead}

// putBucketCORS answers PutBucketCors: the new rules replace the existing ones.
func (c *call) putBucketCORS() error {
	doc, err := c.body.XML("CORSConfiguration", maxCORSDocument)
	if err != nil {
		return err
	}
	rules, err := parseCORS(doc)
	if err != nil {
		return err
	}
	return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.CORS = rules })
}

// getBucketCORS answers GetBucketCors.
func (c *call) getBucketCORS() error {
	rules := c.bucket.CORS
	if rules == nil {
		return errNoCORS
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("CORSConfiguration")
		for i := range rules.Rules {
			corsRule(x, &rules.Rules[i])
		}
		x.Bool("ResponseVary", rules.ResponseVary)
		x.End("CORSConfiguration")
	})
}

// deleteBucketCORS answers DeleteBucketCors.
func (c *call) deleteBucketCORS() error {
	return c.setBucket(http.StatusNoContent, func(b *object.Bucket) { b.CORS = nil })
}

// preflight answers OptionObject, which a browser sends before a request of a
// page of another origin. It is never signed, and the answer reveals only the
// rules; the request that follows is authorised like any other.
func (c *call) preflight() error {
	h := c.r.Header
	origin, method := h.Get("Origin"), h.Get("Access-Control-Request-Method")
	if origin == "" || method == "" {
		return errPreflight
	}
	asked := strings.Join(h.Values("Access-Control-Request-Headers"), ",")
	names := strings.FieldsFunc(asked, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	rules := c.bucket.CORS
	if rules == nil {
		return errCORSDisabled
	}
	if len(asked) > maxPreflightLength || len(names) > maxPreflightHeaders {
		return errCORSRefused
	}
	rule := rules.Match(origin, method, names)
	if rule == nil {
		return errCORSRefused
	}
	c.allowOrigin(rule, origin)
	c.set("Access-Control-Allow-Headers", strings.Join(names, ", "))
	return c.empty(http.StatusOK)
}

// crossOrigin adds the headers that let a page of another origin read the answer,
// whatever the answer will be, if a rule of the bucket allows it.
func (c *call) crossOrigin(b *object.Bucket) {
	if b.CORS == nil {
		return
	}
	if b.CORS.ResponseVary {
		c.w.Header().Set("Vary", "Origin")
	}
	origin := c.r.Header.Get("Origin")
	if origin == "" || c.r.Method == http.MethodOptions {
		return
	}
	if rule := b.CORS.Match(origin, c.r.Method, nil); rule != nil {
		c.allowOrigin(rule, origin)
	}
}

func (c *call) allowOrigin(rule *object.CORSRule, origin string) {
	c.set("Access-Control-Allow-Origin", rule.Origin(origin))
	c.set("Access-Control-Allow-Methods", strings.Join(rule.AllowedMethods, ", "))
	c.set("Access-Control-Expose-Headers", strings.Join(rule.ExposeHeaders, ", "))
	if rule.MaxAge != nil {
		c.set("Access-Control-Max-Age", strconv.FormatInt(*rule.MaxAge, 10))
	}
}

func parseCORS(doc *ossxml.Element) (*object.CORS, error) {
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
