package ossapi

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
)

// params are the parameters of a query, decoded, in the order they came.
type params []param

type param struct{ name, value string }

// maxParams bounds the parameters of one request. No operation knows a quarter
// of that.
const maxParams = 64

// parseParams reads a query. '+' is a blank. A name may come once only: of two
// values the signature would cover both and a handler see one.
func parseParams(query string) (params, error) {
	var ps params
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
		if _, twice := ps.lookup(name); twice {
			return nil, invalidArgument(name, value, "the parameter is given more than once")
		}
		if len(ps) == maxParams {
			return nil, invalidArgument(name, value, "too many parameters")
		}
		ps = append(ps, param{name, value})
	}
	return ps, nil
}

func unescapeQuery(s string) (string, error) {
	if strings.ContainsAny(s, "%+") {
		var err error
		if s, err = url.QueryUnescape(s); err != nil {
			return "", errInvalidURI
		}
	}
	if !utf8.ValidString(s) {
		return "", errInvalidURI
	}
	return s, nil
}

// lookup is the value of a parameter and whether it is there. "name" and
// "name=" are alike: some SDKs write the second for the first.
func (ps params) lookup(name string) (string, bool) {
	for i := range ps {
		if ps[i].name == name {
			return ps[i].value, true
		}
	}
	return "", false
}

// get is the value of a parameter, empty if it is not there.
func (ps params) get(name string) string {
	v, _ := ps.lookup(name)
	return v
}

func (ps params) has(name string) bool {
	_, ok := ps.lookup(name)
	return ok
}

// int is the value of a number from low to high; fallback if it is missing or
// empty.
func (ps params) int(name string, fallback, low, high int) (int, error) {
	v := ps.get(name)
	if v == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, invalidArgument(name, v, "a number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high)+" is expected")
	}
	return n, nil
}

// int64 is the value of a required number that is not negative.
func (ps params) int64(name string) (int64, error) {
	v := ps.get(name)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return 0, invalidArgument(name, v, "a number that is not negative is expected")
	}
	return n, nil
}

// urlEncoding reports whether the names in the answer are to be percent-encoded.
func (ps params) urlEncoding() (bool, error) {
	switch v := ps.get("encoding-type"); v {
	case "":
		return false, nil
	case "url":
		return true, nil
	default:
		return false, invalidArgument("encoding-type", v, "only url is known")
	}
}

// version is the versionId asked for; empty for the current version.
func (ps params) version() (string, error) {
	v, ok := ps.lookup("versionId")
	if ok && !plausibleVersion(v) {
		return "", invalidArgument("versionId", v, "no version has such an id")
	}
	return v, nil
}

// plausibleVersion refuses what can be no version id, so that it is answered
// as a mistake and not as a version that is missing.
func plausibleVersion(id string) bool {
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

// invalidArgument says which parameter, header or element to correct. OSS adds
// its name and value to the reply.
func invalidArgument(name, value, reason string) error {
	return &stocktake.InvalidArgumentError{Element: name, Value: bounded(value), Reason: reason}
}

// bounded cuts what a stranger sent to what may be said back or logged.
func bounded(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }
