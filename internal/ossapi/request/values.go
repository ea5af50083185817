package request

import (
	"strconv"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
)

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
	if ok && !legalVersionID(v) {
		return "", InvalidArgument("versionId", v, "no version has such an id")
	}
	return v, nil
}

// legalVersionID reports whether id can be a version id. Any other id is an
// invalid argument, not a missing version.
func legalVersionID(id string) bool {
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

// IssuedVersionForm reports whether id has the form of OSS's version ids, or is the
// id of null versions.
func IssuedVersionForm(id string) bool {
	return id == object.NullVersion || strings.HasPrefix(id, "CAE") && legalVersionID(id)
}

// ParseDigits parses a whole number without a sign. A number that is too large for
// an int64 becomes the largest int64, which exceeds every valid value.
func ParseDigits(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1, true
	}
	return n, true
}
