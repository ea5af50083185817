package csvrow

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/stocktake/stocktake"
)

// AppendUnescaped decodes a percent-encoded key and appends it to dst. A '+' is a
// space: some encoders write it so, ours does not.
func AppendUnescaped(dst, v []byte) ([]byte, error) {
	dst = slices.Grow(dst, len(v))
	for i := 0; i < len(v); i++ {
		switch c := v[i]; c {
		case '%':
			if i+2 >= len(v) {
				return dst, errEscape
			}
			h, l := unhex[v[i+1]], unhex[v[i+2]]
			if h|l > 15 {
				return dst, errEscape
			}
			dst = append(dst, h<<4|l)
			i += 2
		case '+':
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst, nil
}

// unhex is the value of each hexadecimal digit, and 255 for any other byte.
var unhex = func() (t [256]byte) {
	for c := range t {
		t[c] = 255
	}
	for i, c := range []byte(UpperHex) {
		t[c] = byte(i)
		t[c|0x20] = byte(i) // lower case; digits have the bit already
	}
	return t
}()

func parseBool(v []byte) (bool, error) {
	switch string(v) {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE", "":
		return false, nil
	}
	return false, errValue
}

// ParseEncryption reads an encryption status: a boolean, or a word of S3. Every
// word but NOT-SSE means encrypted.
//
// Source: Amazon S3 user guide, Amazon S3 Inventory list.
func ParseEncryption(v []byte) (bool, error) {
	switch string(v) {
	case "SSE-S3", "SSE-C", "SSE-KMS", "DSSE-KMS", "SSE-FSX":
		return true, nil
	case "NOT-SSE":
		return false, nil
	}
	return parseBool(v)
}

func parseInt(v []byte) (int64, error) {
	negative := len(v) > 1 && v[0] == '-'
	if negative {
		v = v[1:]
	}
	n, err := ParseUint(v)
	if err != nil || n > math.MaxInt64 {
		return 0, errValue
	}
	if negative {
		return -int64(n), nil
	}
	return int64(n), nil
}

// ParseUint reads an unsigned integer.
func ParseUint(v []byte) (n uint64, err error) {
	if len(v) > 19 {
		if n, err = strconv.ParseUint(string(v), 10, 64); err != nil {
			return 0, errValue
		}
		return n, nil
	}
	for _, c := range v {
		if c -= '0'; c > 9 {
			return 0, errValue
		}
		n = n*10 + uint64(c)
	}
	return n, nil
}

// parseDate reads 2006-01-02T15-04-05Z. It also reads S3's form, with colons
// between hours, minutes and seconds and with milliseconds, which it drops. Empty
// is 0.
func parseDate(v []byte) (int64, error) {
	if len(v) == 0 {
		return 0, nil
	}
	var whole [20]byte
	if len(v) == 24 && v[19] == '.' && number(v[20:23]) >= 0 && v[23] == 'Z' {
		copy(whole[:], v)
		whole[19] = 'Z'
		v = whole[:]
	}
	if len(v) != 20 || v[4] != '-' || v[7] != '-' || v[10] != 'T' || v[19] != 'Z' ||
		v[13] != v[16] || v[13] != '-' && v[13] != ':' {
		return 0, errValue
	}
	y, m, d := number(v[0:4]), number(v[5:7]), number(v[8:10])
	hour, minute, sec := number(v[11:13]), number(v[14:16]), number(v[17:19])
	if y < 0 || m < 1 || m > 12 || d < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || sec < 0 || sec > 59 {
		return 0, errValue
	}
	t := time.Date(y, time.Month(m), d, hour, minute, sec, 0, time.UTC)
	if t.Day() != d {
		return 0, errValue
	}
	return t.Unix(), nil
}

// number returns the value of a few decimal digits, or -1 for other text.
func number(v []byte) (n int) {
	for _, c := range v {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

var objectTypes = [...]stocktake.ObjectType{stocktake.Normal, stocktake.Multipart, stocktake.Appendable, stocktake.Symlink}

// ParseType reads an object type; empty is Normal.
func ParseType(v []byte) (stocktake.ObjectType, error) {
	for _, t := range objectTypes {
		if string(v) == t.String() {
			return t, nil
		}
	}
	if len(v) == 0 {
		return stocktake.Normal, nil
	}
	return 0, errValue
}
