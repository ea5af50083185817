package signature

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A canon collects the signed parts of a request and writes them in canonical
// order. Its buffers are reused for later requests.
type canon struct {
	text    []byte  // decoded or encoded names and values; the spans below point into it
	params  []param // of the query
	headers []header
	out     []byte // the string being built
	scratch []byte
}

// A span is a part of canon.text.
type span struct{ from, to int }

type param struct{ name, value span }

type header struct {
	name   span // lower case
	values []string
}

var canons = sync.Pool{New: func() any { return new(canon) }}

func newCanon() *canon {
	c := canons.Get().(*canon)
	c.text, c.params, c.headers = c.text[:0], c.params[:0], c.headers[:0]
	return c
}

// free returns c to the pool, unless a large request has made it large.
func (c *canon) free() {
	const large = 64 << 10
	if cap(c.text)+cap(c.out)+cap(c.scratch) > large || cap(c.params)+cap(c.headers) > large/32 {
		return
	}
	clear(c.headers[:cap(c.headers)]) // they point into a request
	canons.Put(c)
}

func (c *canon) bytes(s span) []byte { return c.text[s.from:s.to] }

// readQuery takes the parameters of a raw query that want accepts, decoded or, for
// V4, encoded again. It reports false for a query that is not properly encoded,
// because other parsers may read it differently.
func (c *canon) readQuery(raw string, encode bool, want func(name []byte) bool) bool {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		start := len(c.text)
		n, ok := c.readText(name, encode)
		if !ok {
			return false
		}
		if !want(c.bytes(n)) {
			c.text = c.text[:start]
			continue
		}
		v, ok := c.readText(value, encode)
		if !ok {
			return false
		}
		c.params = append(c.params, param{n, v})
	}
	return true
}

func (c *canon) readText(s string, encode bool) (span, bool) {
	from := len(c.text)
	var ok bool
	if !encode {
		c.text, ok = appendDecoded(c.text, s)
	} else if c.scratch, ok = appendDecoded(c.scratch[:0], s); ok {
		c.text = appendEncoded(c.text, c.scratch, false)
	}
	return span{from, len(c.text)}, ok
}

// sortParams sorts by the bytes of the names. Parameters of the same name keep
// their order, so that all of them are signed.
func (c *canon) sortParams() {
	slices.SortStableFunc(c.params, func(a, b param) int {
		return bytes.Compare(c.bytes(a.name), c.bytes(b.name))
	})
}

// sortParamsByLocale sorts as JavaScript's localeCompare does, as far as the
// names of parameters go: letters without regard to case, and lower case first
// where nothing else differs. It reports whether that changed the order.
func (c *canon) sortParamsByLocale() bool {
	order := func(a, b param) int {
		x, y := c.bytes(a.name), c.bytes(b.name)
		for i := range min(len(x), len(y)) {
			if d := cmp.Compare(lower(x[i]), lower(y[i])); d != 0 {
				return d
			}
		}
		return cmp.Or(cmp.Compare(len(x), len(y)), bytes.Compare(y, x))
	}
	if slices.IsSortedFunc(c.params, order) {
		return false
	}
	slices.SortStableFunc(c.params, order)
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}

// appendParams writes name=value&name&..., a bare name for an empty value.
func (c *canon) appendParams() {
	for i, p := range c.params {
		if i > 0 {
			c.out = append(c.out, '&')
		}
		c.out = append(c.out, c.bytes(p.name)...)
		if p.value.from < p.value.to {
			c.out = append(append(c.out, '='), c.bytes(p.value)...)
		}
	}
}

// readHeaders takes the headers of r whose lower-case name starts with x-oss-,
// those named in additional and, for V4, Content-Type and Content-MD5; sorted.
func (c *canon) readHeaders(r *http.Request, v4 bool, additional []string) {
	for key, values := range r.Header {
		from := len(c.text)
		for i := range len(key) {
			c.text = append(c.text, lower(key[i]))
		}
		name := c.text[from:]
		if bytes.HasPrefix(name, []byte("x-oss-")) ||
			v4 && (string(name) == "content-type" || string(name) == "content-md5") ||
			len(additional) > 0 && contains(additional, name) {
			c.headers = append(c.headers, header{span{from, len(c.text)}, values})
		} else {
			c.text = c.text[:from]
		}
	}
	// net/http keeps these elsewhere.
	for _, name := range additional {
		if value := movedHeader(r, name); value != "" {
			from := len(c.text)
			c.text = append(c.text, name...)
			c.headers = append(c.headers, header{span{from, len(c.text)}, []string{value}})
		}
	}
	slices.SortFunc(c.headers, func(a, b header) int {
		return bytes.Compare(c.bytes(a.name), c.bytes(b.name))
	})
}

func contains(names []string, name []byte) bool {
	for _, n := range names {
		if n == string(name) {
			return true
		}
	}
	return false
}

// movedHeader returns the value of a header that net/http takes out of
// Request.Header. It returns "" if the header was not moved or not sent.
func movedHeader(r *http.Request, name string) string {
	switch {
	case name == "host" && r.Header["Host"] == nil:
		if r.Host == "" {
			return r.URL.Host
		}
		return r.Host
	case name == "content-length" && r.Header["Content-Length"] == nil && r.ContentLength > 0:
		return strconv.FormatInt(r.ContentLength, 10)
	case name == "transfer-encoding" && r.Header["Transfer-Encoding"] == nil:
		return strings.Join(r.TransferEncoding, ",")
	}
	return ""
}

// appendHeaders writes name:value\n for each, the values trimmed and joined by
// commas.
func (c *canon) appendHeaders() {
	for _, h := range c.headers {
		c.out = append(append(c.out, c.bytes(h.name)...), ':')
		for i, v := range h.values {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			c.out = append(c.out, strings.TrimSpace(v)...)
		}
		c.out = append(c.out, '\n')
	}
}

// appendTarget writes / or /bucket/key, encoded for V4.
func (c *canon) appendTarget(t Target, encode bool) {
	c.out = append(c.out, '/')
	if t.Bucket == "" {
		return
	}
	if !encode {
		c.out = append(append(append(c.out, t.Bucket...), '/'), t.Key...)
		return
	}
	c.out = append(appendEncoded(c.out, t.Bucket, true), '/')
	c.out = appendEncoded(c.out, t.Key, true)
}

// appendDecoded appends s without percent-encoding, with '+' read as a space. It
// reports false if s is malformed, and for a raw ';', which net/url rejects and
// other parsers split at.
func appendDecoded(dst []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			dst = append(dst, ' ')
		case ';':
			return dst, false
		case '%':
			if i+2 >= len(s) || unhex[s[i+1]] < 0 || unhex[s[i+2]] < 0 {
				return dst, false
			}
			dst = append(dst, byte(unhex[s[i+1]]<<4|unhex[s[i+2]]))
			i += 2
		default:
			dst = append(dst, s[i])
		}
	}
	return dst, true
}

// appendEncoded appends s percent-encoded, except for A-Z a-z 0-9 - . _ ~ and, if
// slash is true, '/'.
func appendEncoded[T string | []byte](dst []byte, s T, slash bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if b := s[i]; unreserved[b] || slash && b == '/' {
			dst = append(dst, b)
		} else {
			dst = append(dst, '%', hex[b>>4], hex[b&15])
		}
	}
	return dst
}

// unreserved and unhex are tables of all bytes; unhex is -1 for a byte that is not
// a hex digit.
var unreserved, unhex = func() (u [256]bool, h [256]int16) {
	for i := range 256 {
		h[i] = -1
		switch b := byte(i); {
		case '0' <= b && b <= '9':
			h[i] = int16(b - '0')
		case 'a' <= b && b <= 'f':
			h[i] = int16(b - 'a' + 10)
		case 'A' <= b && b <= 'F':
			h[i] = int16(b - 'A' + 10)
		}
		l := lower(byte(i))
		u[i] = 'a' <= l && l <= 'z' || '0' <= l && l <= '9' || l == '-' || l == '.' || l == '_' || l == '~'
	}
	return
}()
