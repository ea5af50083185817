package ossapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/object"
)

// preconditions are the conditions that must hold before a request is carried
// out.
type preconditions struct {
	match, noneMatch               string // entity tags; empty: none
	modifiedSince, unmodifiedSince string // dates
}

// readCondition reads the conditions of a request on an object.
func readPreconditions(h http.Header) preconditions {
	return preconditions{
		match: h.Get("If-Match"), noneMatch: h.Get("If-None-Match"),
		modifiedSince: h.Get("If-Modified-Since"), unmodifiedSince: h.Get("If-Unmodified-Since"),
	}
}

// readSourceCondition reads the conditions on the source of a copy.
func readSourcePreconditions(h http.Header) preconditions {
	return preconditions{
		match: h.Get("X-Oss-Copy-Source-If-Match"), noneMatch: h.Get("X-Oss-Copy-Source-If-None-Match"),
		modifiedSince: h.Get("X-Oss-Copy-Source-If-Modified-Since"), unmodifiedSince: h.Get("X-Oss-Copy-Source-If-Unmodified-Since"),
	}
}

// check returns object.ErrPrecondition or errNotModified if a condition does not
// hold. A date that cannot be parsed is ignored.
//
// Source: OSS API reference, GetObject and CopyObject; each condition counts for
// itself, those that fail with 412 first.
func (d preconditions) check(etag string, modified time.Time) error {
	if d == (preconditions{}) {
		return nil
	}
	modified = modified.Truncate(time.Second) // the header knows no fractions
	if d.match != "" && !matchesETag(d.match, etag) {
		return object.ErrPrecondition
	}
	if t, ok := parseDate(d.unmodifiedSince); ok && modified.After(t) {
		return object.ErrPrecondition
	}
	if d.noneMatch != "" && matchesETag(d.noneMatch, etag) {
		return errNotModified
	}
	if t, ok := parseDate(d.modifiedSince); ok && !modified.After(t) {
		return errNotModified
	}
	return nil
}

func parseDate(s string) (time.Time, bool) {
	t, err := http.ParseTime(s)
	return t, err == nil
}

// matchesETag reports whether a list of entity tags names etag, which comes
// without quotes. Quotes may be missing, the case of letters does not matter.
func matchesETag(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
		if tag == "*" || strings.EqualFold(tag, etag) {
			return true
		}
	}
	return false
}
