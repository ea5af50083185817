package ossapi

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/bucketxml"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// Our own bounds on a preflight request.
const (
	maxPreflightHeaders = 100     // that one request asks for
	maxPreflightLength  = 8 << 10 // bytes of their names
)

// putBucketCORS answers PutBucketCors: the new rules replace the existing ones.
func (c *call) putBucketCORS() error {
	doc, err := c.body.XML("CORSConfiguration", bucketxml.MaxCORS)
	if err != nil {
		return err
	}
	rules, err := bucketxml.ParseCORS(doc)
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
	return c.xml(func(x *ossxml.Writer) { bucketxml.WriteCORS(x, rules) })
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
// also an error, if a rule of the bucket allows it.
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
