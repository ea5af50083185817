package object_test

import (
	"testing"

	"github.com/stocktake/stocktake/internal/object"
)

func TestCORSMatch(t *testing.T) {
	c := object.CORS{Rules: []object.CORSRule{
		{AllowedOrigins: []string{"https://shop.example"}, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"x-oss-*", "Content-Type"}},
		{AllowedOrigins: []string{"https://*.example", "http://localhost"}, AllowedMethods: []string{"GET", "HEAD"}},
		{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"HEAD"}, AllowedHeaders: []string{"*"}},
	}}
	for _, tt := range []struct {
		origin, method string
		headers        []string
		rule           int // -1: none
		allow          string
	}{
		{"https://shop.example", "PUT", nil, 0, "https://shop.example"},
		{"https://shop.example", "PUT", []string{"X-Oss-Meta-A", "content-type"}, 0, "https://shop.example"},
		{"https://shop.example", "PUT", []string{"x-oss"}, -1, ""},
		{"https://shop.example", "PUT", []string{"Authorization"}, -1, ""},
		{"https://shop.example", "GET", nil, 1, "https://shop.example"},
		{"https://a.b.example", "GET", nil, 1, "https://a.b.example"},
		{"https://.example", "GET", nil, 1, "https://.example"},
		{"https://example", "GET", nil, -1, ""}, // the parts around * do not overlap
		{"http://a.example", "GET", nil, -1, ""},
		{"https://a.example.evil", "GET", nil, -1, ""},
		{"http://localhost", "GET", nil, 1, "http://localhost"},
		{"http://localhost:80", "GET", nil, -1, ""},
		{"http://localhost", "get", nil, -1, ""},
		{"null", "HEAD", []string{"anything"}, 2, "*"},
		{"null", "DELETE", nil, -1, ""},
	} {
		got := c.Match(tt.origin, tt.method, tt.headers)
		if got == nil != (tt.rule < 0) || got != nil && (got != &c.Rules[tt.rule] || got.Origin(tt.origin) != tt.allow) {
			t.Errorf("%s %s %v: got %+v, want rule %d and %q", tt.origin, tt.method, tt.headers, got, tt.rule, tt.allow)
		}
	}
	if got := new(object.CORS).Match("null", "GET", nil); got != nil {
		t.Errorf("no rules, and %+v allows it", got)
	}
}
