package ossapi

import (
	"strconv"
	"strings"

	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// A byteRange is part of an object: n bytes from off.
type byteRange struct{ off, n int64 }

// contentRange returns the header of an answer with a part of size bytes.
func (b byteRange) contentRange(size int64) string {
	return "bytes " + strconv.FormatInt(b.off, 10) + "-" + strconv.FormatInt(b.off+b.n-1, 10) + "/" + strconv.FormatInt(size, 10)
}

// parseRange returns the bytes that a Range header requests from an object of size
// bytes. partial is false if the whole object must be sent.
//
// OSS sends the whole object for every range that is not exactly right: several
// ranges, bad syntax, a start or an end beyond the object. If standard is true
// (x-oss-range-behavior: standard), an end beyond the object is cut and a start
// beyond it is an error.
//
// Source: OSS API reference, GetObject, Range and x-oss-range-behavior.
func parseRange(header string, size int64, standard bool) (r byteRange, partial bool, err error) {
	whole := byteRange{0, size}
	spec, ok := strings.CutPrefix(strings.TrimSpace(header), "bytes=")
	if !ok {
		return whole, false, nil
	}
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return whole, false, nil
	}
	if first == "" {
		n, ok := request.ParseDigits(last)
		switch {
		case !ok:
			return whole, false, nil
		case n > 0 && n <= size:
			return byteRange{size - n, n}, true, nil
		case n > 0 && size > 0 && standard:
			return whole, true, nil
		case standard:
			return whole, false, errInvalidRange
		}
		return whole, false, nil
	}
	from, ok := request.ParseDigits(first)
	if !ok {
		return whole, false, nil
	}
	to := size - 1
	if last != "" {
		if to, ok = request.ParseDigits(last); !ok || to < from {
			return whole, false, nil
		}
	}
	switch {
	case from < size && to < size:
		return byteRange{from, to - from + 1}, true, nil
	case !standard:
		return whole, false, nil
	case from < size:
		return byteRange{from, size - from}, true, nil
	}
	return whole, false, errInvalidRange
}
