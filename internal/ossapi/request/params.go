package request

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
)

// Params are the parameters of a query, decoded, in the order they came.
type Params []Param

// A Param is one parameter. "name" and "name=" are alike: some SDKs write the
// second for the first.
type Param struct{ Name, Value string }

// maxParams bounds the parameters of one request. No operation knows a quarter
// of that.
const maxParams = 64

// ParseParams reads a query. '+' is a blank. A name may come once only: of two
// values the signature would cover both and a handler see one.
func ParseParams(query string) (Params, error) {
	var ps Params
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
		if _, twice := ps.Lookup(name); twice {
			return nil, InvalidArgument(name, value, "the parameter is given more than once")
		}
		if len(ps) == maxParams {
			return nil, InvalidArgument(name, value, "too many parameters")
		}
		ps = append(ps, Param{name, value})
	}
	return ps, nil
}

func unescapeQuery(s string) (string, error) {
	if strings.ContainsAny(s, "%+") {
		var err error
		if s, err = url.QueryUnescape(s); err != nil {
			return "", ErrInvalidURI
		}
	}
	if !utf8.ValidString(s) {
		return "", ErrInvalidURI
	}
	return s, nil
}

// Lookup returns the value of a parameter and whether it is there.
func (ps Params) Lookup(name string) (string, bool) {
	for i := range ps {
		if ps[i].Name == name {
			return ps[i].Value, true
		}
	}
	return "", false
}

// Get returns the value of a parameter, or "" if it is missing.
func (ps Params) Get(name string) string {
	v, _ := ps.Lookup(name)
	return v
}

// Has reports whether a parameter is there, with or without a value.
func (ps Params) Has(name string) bool {
	_, ok := ps.Lookup(name)
	return ok
}

// Int returns a number from low to high, or fallback if the parameter is missing
// or empty.
func (ps Params) Int(name string, fallback, low, high int) (int, error) {
	v := ps.Get(name)
	if v == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, InvalidArgument(name, v, "a number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high)+" is expected")
	}
	return n, nil
}

// Int64 returns a required number that is not negative.
func (ps Params) Int64(name string) (int64, error) {
	v := ps.Get(name)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return 0, InvalidArgument(name, v, "a number that is not negative is expected")
	}
	return n, nil
}

// URLEncoding reports whether the names in the answer are to be percent-encoded.
func (ps Params) URLEncoding() (bool, error) {
	switch v := ps.Get("encoding-type"); v {
	case "":
		return false, nil
	case "url":
		return true, nil
	default:
		return false, InvalidArgument("encoding-type", v, "only url is known")
	}
}

// Version returns the versionId, or "" for the current version.
func (ps Params) Version() (string, error) {
	v, ok := ps.Lookup("versionId")
	if ok && !PlausibleVersion(v) {
		return "", InvalidArgument("versionId", v, "no version has such an id")
	}
	return v, nil
}

// PlausibleVersion reports whether id can be a version id. Others are mistakes,
// not versions that are missing.
func PlausibleVersion(id string) bool {
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

// InvalidArgument returns the error that says which parameter, header or element to
// correct. OSS adds
// its name and value to the reply.
func InvalidArgument(name, value, reason string) error {
	return &stocktake.InvalidArgumentError{Element: name, Value: Bounded(value), Reason: reason}
}

// Bounded returns s, which a stranger sent, cut to what may be repeated or logged:
// 200 bytes of valid UTF-8.
func Bounded(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }
