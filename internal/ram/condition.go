package ram

import (
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A condition is one key of one operator with the values that match.
//
//	"StringLike": {"oss:Prefix": ["photos/*", ""]}
//
// At least one of the values must match; under a negated operator none may. A key
// that the request lacks does not match, so that a negated operator holds.
type condition struct {
	key  string
	kind kind
	op   op
	not  bool // negated operator

	// The values, in the form that kind needs.
	texts    []string
	numbers  []float64
	times    []time.Time
	prefixes []netip.Prefix
	bools    []bool
}

type kind uint8

const (
	stringKind kind = iota
	numberKind
	dateKind
	boolKind
	ipKind
)

type op uint8

const (
	equal op = iota
	equalFold
	like
	less
	lessEqual
	greater
	greaterEqual
)

// operators are the operators of RAM by lower-case name.
//
// Source: RAM user guide, "Conditional operators".
var operators = map[string]struct {
	kind kind
	op   op
	not  bool
}{
	"StringEquals":              {stringKind, equal, false},
	"StringNotEquals":           {stringKind, equal, true},
	"StringEqualsIgnoreCase":    {stringKind, equalFold, false},
	"StringNotEqualsIgnoreCase": {stringKind, equalFold, true},
	"StringLike":                {stringKind, like, false},
	"StringNotLike":             {stringKind, like, true},

	"NumericEquals":            {numberKind, equal, false},
	"NumericNotEquals":         {numberKind, equal, true},
	"NumericLessThan":          {numberKind, less, false},
	"NumericLessThanEquals":    {numberKind, lessEqual, false},
	"NumericGreaterThan":       {numberKind, greater, false},
	"NumericGreaterThanEquals": {numberKind, greaterEqual, false},

	"DateEquals":            {dateKind, equal, false},
	"DateNotEquals":         {dateKind, equal, true},
	"DateLessThan":          {dateKind, less, false},
	"DateLessThanEquals":    {dateKind, lessEqual, false},
	"DateGreaterThan":       {dateKind, greater, false},
	"DateGreaterThanEquals": {dateKind, greaterEqual, false},

	"Bool":         {boolKind, equal, false},
	"IpAddress":    {ipKind, equal, false},
	"NotIpAddress": {ipKind, equal, true},
}

// Keys that every request has.
const (
	keySourceIP        = "acs:SourceIp"
	keySecureTransport = "acs:SecureTransport"
	keyCurrentTime     = "acs:CurrentTime"
)

// knownKeys are the keys that policies write in different case.
var knownKeys = []string{
	keySourceIP, keySecureTransport, keyCurrentTime,
	"acs:UserAgent", "acs:SourceVpc", "oss:Prefix", "oss:Delimiter",
}

func canonicalKey(key string) string {
	for _, known := range knownKeys {
		if strings.EqualFold(key, known) {
			return known
		}
	}
	return key
}

func parseConditions(raw json.RawMessage) ([]condition, error) {
	var list []condition
	err := eachMember(raw, func(name string, value json.RawMessage) error {
		element := "Condition/" + name
		operator, ok := operators[name]
		if !ok {
			return &PolicyError{Element: bounded(element), Reason: "unknown operator"}
		}
		before := len(list)
		err := eachMember(value, func(key string, value json.RawMessage) error {
			c := condition{key: canonicalKey(key), kind: operator.kind, op: operator.op, not: operator.not}
			if key == "" {
				return &PolicyError{Element: bounded(element), Reason: "a key is empty"}
			}
			if err := c.parseValues(element+"/"+key, value); err != nil {
				return err
			}
			list = append(list, c)
			return nil
		})
		if err == nil && len(list) == before {
			return &PolicyError{Element: element, Reason: "it has no key"}
		}
		return err
	})
	return list, err
}

func (c *condition) parseValues(element string, raw json.RawMessage) error {
	list, ok := scalars(raw)
	if !ok {
		return &PolicyError{Element: bounded(element), Reason: "a value or a list of values is expected"}
	}
	if len(list) == 0 {
		return &PolicyError{Element: bounded(element), Reason: "it has no value"}
	}
	for _, text := range list {
		ok := true
		switch c.kind {
		case stringKind:
			c.texts = append(c.texts, text)
		case numberKind:
			var n float64
			n, ok = parseNumber(text)
			c.numbers = append(c.numbers, n)
		case dateKind:
			var t time.Time
			t, ok = parseDate(text)
			c.times = append(c.times, t)
		case boolKind:
			var b bool
			b, ok = parseBool(text)
			c.bools = append(c.bools, b)
		case ipKind:
			var p netip.Prefix
			p, ok = parsePrefix(text)
			c.prefixes = append(c.prefixes, p)
		}
		if !ok {
			return &PolicyError{Element: bounded(element), Value: bounded(text), Reason: "it is not " + [...]string{"", "a number", "a date such as 2026-01-05T16:00:00Z", "true or false", "an address or a range such as 10.0.0.0/8"}[c.kind]}
		}
	}
	return nil
}

// scalars reads a string, number or boolean or a list of them, as text.
func scalars(raw json.RawMessage) ([]string, bool) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	out := make([]string, 0, len(list))
	for _, raw := range list {
		var s string
		text := strings.TrimSpace(string(raw))
		switch {
		case text == "" || text == "null" || text[0] == '{' || text[0] == '[':
			return nil, false
		case text[0] != '"':
			s = text // as written in the document
		case json.Unmarshal(raw, &s) != nil:
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

func parseNumber(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

func parseDate(s string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func parseBool(s string) (value, ok bool) {
	return s == "true", s == "true" || s == "false"
}

// parsePrefix reads a range or an address. An IPv4 range may be in the IPv6 form,
// ::ffff:10.0.0.0/104; it is converted, because the addresses of requests are in
// the plain form.
func parsePrefix(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() {
			p = netip.PrefixFrom(p.Addr().Unmap(), max(0, p.Bits()-96))
		}
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), true
}

// isMet reports whether the request meets c.
func (c *condition) isMet(q *evaluation) bool { return c.matchesAny(q) != c.not }

// matchesAny reports whether one of the values fits the request's.
func (c *condition) matchesAny(q *evaluation) bool {
	switch c.kind {
	case stringKind:
		s, ok := q.text(c.key)
		return ok && slices.ContainsFunc(c.texts, func(v string) bool {
			switch c.op {
			case like:
				return q.budget.match(v, s)
			case equalFold:
				return strings.EqualFold(v, s)
			}
			return v == s
		})
	case numberKind:
		s, ok := q.text(c.key)
		n, isNumber := parseNumber(s)
		return ok && isNumber && slices.ContainsFunc(c.numbers, func(v float64) bool { return c.op.compares(compare(n, v)) })
	case dateKind:
		t, ok := q.Time, true
		if c.key != keyCurrentTime {
			var s string
			if s, ok = q.text(c.key); ok {
				t, ok = parseDate(s)
			}
		}
		return ok && slices.ContainsFunc(c.times, func(v time.Time) bool { return c.op.compares(t.Compare(v)) })
	case boolKind:
		s, ok := q.text(c.key)
		b, isBool := parseBool(s)
		return ok && isBool && slices.Contains(c.bools, b)
	default:
		a := q.SourceIP
		if c.key != keySourceIP {
			s, _ := q.text(c.key)
			a, _ = netip.ParseAddr(s)
		}
		a = a.Unmap().WithZone("")
		return a.IsValid() && slices.ContainsFunc(c.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// compares reports whether o holds. d is the result of comparing the request's
// value with the policy's.
func (o op) compares(d int) bool {
	switch o {
	case less:
		return d < 0
	case lessEqual:
		return d <= 0
	case greater:
		return d > 0
	case greaterEqual:
		return d >= 0
	}
	return d == 0
}

// maxValue is the longest value of a request that conditions compare, in bytes.
// Keys have at most 1,023.
const maxValue = 2048

// tooLong reports whether the request's value of a key is longer than maxValue.
func (q *evaluation) tooLong(key string) bool { return len(q.Conditions[key]) > maxValue }

// text returns the request's value of a key.
func (q *evaluation) text(key string) (string, bool) {
	switch key {
	case keySourceIP:
		return q.SourceIP.Unmap().WithZone("").String(), q.SourceIP.IsValid()
	case keySecureTransport:
		return strconv.FormatBool(q.Secure), true
	case keyCurrentTime:
		return q.Time.UTC().Format(time.RFC3339), true
	}
	s, ok := q.Conditions[key]
	return s, ok
}
