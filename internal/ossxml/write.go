package ossxml

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Header begins every document.
const Header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

const timeLayout = "2006-01-02T15:04:05.000Z"

// AppendTime appends t the way OSS writes times in documents: in UTC, to the
// second. The fraction is always .000, so that a listing equals the header
// Last-Modified.
func AppendTime(dst []byte, t time.Time) []byte {
	return t.UTC().Truncate(time.Second).AppendFormat(dst, timeLayout)
}

// A Writer appends a document to Buf. Tags are written as they are: they must be
// names of XML. The zero Writer is ready to use.
type Writer struct {
	Buf []byte
	URL bool // percent-encode the values given to Name: encoding-type=url

	// Strict writes U+FFFD for what XML 1.0 cannot carry, so that every client can
	// read the document: an error must be understood, even if it repeats what
	// cannot be said.
	Strict bool
}

// Start writes the start tag of an element.
func (x *Writer) Start(tag string) {
	x.Buf = append(append(append(x.Buf, '<'), tag...), '>')
}

// End writes the end tag of an element.
func (x *Writer) End(tag string) {
	x.Buf = append(append(append(x.Buf, '<', '/'), tag...), '>')
}

// Text writes an element that holds value, escaped.
func (x *Writer) Text(tag, value string) {
	x.Start(tag)
	if x.Strict {
		value = strings.Map(legal, value)
	}
	x.Buf = AppendText(x.Buf, value)
	x.End(tag)
}

// legal returns r, or U+FFFD if XML 1.0 cannot carry r.
//
// Source: XML 1.0, section 2.2.
func legal(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
		return utf8.RuneError
	}
	return r
}

// Optional writes what Text writes, but nothing if value is empty.
func (x *Writer) Optional(tag, value string) {
	if value != "" {
		x.Text(tag, value)
	}
}

// Name writes an element that holds an object name, or part of one: escaped, or
// percent-encoded if x.URL is set.
func (x *Writer) Name(tag, value string) {
	x.Start(tag)
	if x.URL {
		x.Buf = AppendURL(x.Buf, value)
	} else {
		x.Buf = AppendText(x.Buf, value)
	}
	x.End(tag)
}

// Int writes an element that holds a decimal number.
func (x *Writer) Int(tag string, value int64) {
	x.Start(tag)
	x.Buf = strconv.AppendInt(x.Buf, value, 10)
	x.End(tag)
}

// Bool writes an element that holds true or false.
func (x *Writer) Bool(tag string, value bool) {
	x.Start(tag)
	x.Buf = strconv.AppendBool(x.Buf, value)
	x.End(tag)
}

// Time writes an element that holds t in the form of AppendTime.
func (x *Writer) Time(tag string, t time.Time) {
	x.Start(tag)
	x.Buf = AppendTime(x.Buf, t)
	x.End(tag)
}

// Owner writes the owner of a bucket or an object. OSS repeats the account id as
// the display name.
func (x *Writer) Owner(account string) {
	x.Start("Owner")
	x.Text("ID", account)
	x.Text("DisplayName", account)
	x.End("Owner")
}

// AppendText appends s as XML text. A control character, which XML 1.0 cannot
// carry, is written as a character reference, as OSS does: a strict reader then
// fails aloud, while two names never look alike, and Parse returns the name. Only
// a byte that is not UTF-8 has no reference; it becomes U+FFFD.
func AppendText(dst []byte, s string) []byte {
	last := 0
	for i := 0; i < len(s); {
		if plainXML[s[i]] {
			i++
			continue
		}
		r, width := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && legal(r) == r && width > 1 {
			i += width
			continue
		}
		dst = append(dst, s[last:i]...)
		switch r {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '"':
			dst = append(dst, "&quot;"...)
		case utf8.RuneError:
			dst = append(dst, "\uFFFD"...)
		default:
			dst = append(dst, "&#"...)
			dst = strconv.AppendInt(dst, int64(r), 10)
			dst = append(dst, ';')
		}
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

// AppendURL appends s percent-encoded, except unreserved characters and '/'. It
// differs from net/url's forms: a blank is %20 and '+' is %2B, so that every
// decoder restores s.
func AppendURL(dst []byte, s string) []byte {
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
