package ossapi

import (
	"strconv"
	"time"
	"unicode/utf8"
)

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// layoutXML is how OSS writes times in documents, in UTC.
const layoutXML = "2006-01-02T15:04:05.000Z"

// An xmlWriter appends a document to b. Tags are ours and need no escaping.
type xmlWriter struct {
	b   []byte
	url bool // percent-encode the values given to name: encoding-type=url
}

func (x *xmlWriter) start(tag string) {
	x.b = append(append(append(x.b, '<'), tag...), '>')
}

func (x *xmlWriter) end(tag string) {
	x.b = append(append(append(x.b, '<', '/'), tag...), '>')
}

// text writes an element with escaped text.
func (x *xmlWriter) text(tag, value string) {
	x.start(tag)
	x.b = appendEscaped(x.b, value)
	x.end(tag)
}

// optional is text, but nothing for an empty value.
func (x *xmlWriter) optional(tag, value string) {
	if value != "" {
		x.text(tag, value)
	}
}

// name writes an object name, or part of one.
func (x *xmlWriter) name(tag, value string) {
	x.start(tag)
	if x.url {
		x.b = appendURLEncoded(x.b, value)
	} else {
		x.b = appendEscaped(x.b, value)
	}
	x.end(tag)
}

func (x *xmlWriter) int(tag string, value int64) {
	x.start(tag)
	x.b = strconv.AppendInt(x.b, value, 10)
	x.end(tag)
}

func (x *xmlWriter) bool(tag string, value bool) {
	x.start(tag)
	x.b = strconv.AppendBool(x.b, value)
	x.end(tag)
}

func (x *xmlWriter) time(tag string, t time.Time) {
	x.start(tag)
	x.b = t.UTC().AppendFormat(x.b, layoutXML)
	x.end(tag)
}

// owner writes who owns a bucket or an object. OSS shows the account id as the
// name, too.
func (x *xmlWriter) owner(account string) {
	x.start("Owner")
	x.text("ID", account)
	x.text("DisplayName", account)
	x.end("Owner")
}

// appendEscaped appends s as XML text. What XML 1.0 has no way to write becomes
// U+FFFD, as in encoding/xml: a client that has such names asks for
// encoding-type=url.
func appendEscaped(dst []byte, s string) []byte {
	last := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plainXML[c] {
			i++
			continue
		}
		width, esc := 1, ""
		switch c {
		case '&':
			esc = "&amp;"
		case '<':
			esc = "&lt;"
		case '>':
			esc = "&gt;"
		case '"':
			esc = "&quot;"
		case '\t':
			esc = "&#x9;"
		case '\n':
			esc = "&#xA;"
		case '\r':
			esc = "&#xD;"
		default:
			var r rune
			if r, width = utf8.DecodeRuneInString(s[i:]); inXML(r) && (r != utf8.RuneError || width > 1) {
				i += width
				continue
			}
			esc = "\uFFFD"
		}
		dst = append(append(dst, s[last:i]...), esc...)
		i += width
		last = i
	}
	return append(dst, s[last:]...)
}

// plainXML holds the bytes that are text as they are.
var plainXML = func() (t [256]bool) {
	for c := byte(0x20); c < 0x80; c++ {
		t[c] = c != '&' && c != '<' && c != '>' && c != '"'
	}
	return
}()

// inXML reports whether r is a Char of XML 1.0, but for those below U+0020.
func inXML(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// appendURLEncoded appends s percent-encoded, all but unreserved characters and
// '/'. It differs from net/url's forms: a blank is %20 and '+' is %2B, so that
// every decoder gives it back.
func appendURLEncoded(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if unreserved[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

var unreserved = func() (t [256]bool) {
	for c := range t {
		l := c | 0x20
		t[c] = l >= 'a' && l <= 'z' && c < 0x80 || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' || c == '/'
	}
	return
}()
