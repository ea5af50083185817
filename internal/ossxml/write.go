package ossxml

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// Header begins every document.
const Header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// TimeLayout is how OSS writes times in documents, in UTC.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// A Writer appends a document to Buf. Tags are written as they are: they must be
// names of XML. The zero Writer is ready to use.
type Writer struct {
	Buf []byte
	URL bool // percent-encode the values given to Name: encoding-type=url
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
	x.Buf = AppendText(x.Buf, value)
	x.End(tag)
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

// Time writes an element that holds t in the form of TimeLayout.
func (x *Writer) Time(tag string, t time.Time) {
	x.Start(tag)
	x.Buf = t.UTC().AppendFormat(x.Buf, TimeLayout)
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

// AppendText appends s as XML text. What XML 1.0 has no way to write becomes
// U+FFFD, as in encoding/xml: a client that has such names asks for
// encoding-type=url.
func AppendText(dst []byte, s string) []byte {
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
			esc = "&#9;"
		case '\n':
			esc = "&#10;"
		case '\r':
			esc = "&#13;"
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
