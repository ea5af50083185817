package ossapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// preconditions are the conditions that must hold before a request is carried
// out.
type preconditions struct {
	match, noneMatch               string // entity tags; empty: none
	modifiedSince, unmodifiedSince string // dates
	prefix                         string // of the headers' names
}

// readPreconditions reads the conditions of a request on an object.
func readPreconditions(h http.Header) preconditions {
	return preconditions{
		match: h.Get("If-Match"), noneMatch: h.Get("If-None-Match"),
		modifiedSince: h.Get("If-Modified-Since"), unmodifiedSince: h.Get("If-Unmodified-Since"),
	}
}

// readSourcePreconditions reads the conditions on the source of a copy.
func readSourcePreconditions(h http.Header) preconditions {
	return preconditions{
		prefix: "x-oss-copy-source-",
		match:  h.Get("X-Oss-Copy-Source-If-Match"), noneMatch: h.Get("X-Oss-Copy-Source-If-None-Match"),
		modifiedSince: h.Get("X-Oss-Copy-Source-If-Modified-Since"), unmodifiedSince: h.Get("X-Oss-Copy-Source-If-Unmodified-Since"),
	}
}

// check returns errNotModified, or an error that is object.ErrPrecondition and
// names the condition, if one does not hold. A condition on the entity tag takes
// precedence over one on the date. A date that cannot be parsed is ignored.
//
// Source: RFC 9110, section 13.2.2; the messages are those of OSS.
func (d preconditions) check(etag string, modified time.Time) error {
	if d == (preconditions{prefix: d.prefix}) {
		return nil
	}
	modified = modified.Truncate(time.Second) // the header has no fractions
	if d.match != "" {
		if !matchesETag(d.match, etag) {
			return d.failed("If-Match")
		}
	} else if t, ok := parseDate(d.unmodifiedSince); ok && modified.After(t) {
		return d.failed("If-Unmodified-Since")
	}
	if d.noneMatch != "" {
		if matchesETag(d.noneMatch, etag) {
			return errNotModified
		}
	} else if t, ok := parseDate(d.modifiedSince); ok && !modified.After(t) {
		return errNotModified
	}
	return nil
}

// ifRange reports whether the Range of a request with the header If-Range applies.
// Otherwise the caller has the beginning of another object, and needs all of this one.
// Unlike in the other conditions, a weak entity tag never matches, nor does a later date.
//
// Source: RFC 9110, section 13.1.5. OSS does not document the header.
func ifRange(header, etag string, modified time.Time) bool {
	if header == "" {
		return true
	}
	if t, ok := parseDate(header); ok {
		return modified.Truncate(time.Second).Equal(t)
	}
	return strings.EqualFold(strings.Trim(header, `"`), etag)
}

// failed returns the error of a condition that does not hold.
func (d preconditions) failed(name string) error {
	return &request.DetailError{
		Err:    object.ErrPrecondition,
		Text:   "At least one of the pre-conditions you specified did not hold (condition: " + d.prefix + name + ")",
		Fields: [][2]string{{"Condition", d.prefix + name}},
	}
}

func parseDate(s string) (time.Time, bool) {
	t, err := http.ParseTime(s)
	return t, err == nil
}

// matchesETag reports whether a list of entity tags contains etag, which has no
// quotes. The tags of the list may lack quotes, and case does not matter.
func matchesETag(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
		if tag == "*" || strings.EqualFold(tag, etag) {
			return true
		}
	}
	return false
}
