package ossxml_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// parse returns a document in a form that can be compared.
func parse(data []byte, root string) (string, error) {
	e, err := ossxml.Parse(data, root)
	if err != nil {
		return "", err
	}
	return text(e), nil
}

func text(e *ossxml.Element) string {
	s := "(" + e.Name
	for i := range e.Children {
		s += text(&e.Children[i])
	}
	if len(e.Children) == 0 {
		s += "=" + e.Text
	}
	return s + ")"
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{`<R/>`, "(R=)"},
		{`<R></R>`, "(R=)"},
		{"\ufeff<?xml version=\"1.0\" encoding='utf-8'?>\n<!-- c --><R a='1' b = \"<>\"><A>x</A></R>\n<!-- end -->", ""},
		{"\ufeff<?xml version=\"1.0\" encoding='utf-8'?>\n<!-- c --><R a='1' b = \">\"><A>x</A></R>\n<!-- end -->", "(R(A=x))"},
		{`<R xmlns="urn:x"><p:A xmlns:p="urn:y">x</p:A></R>`, "(R(A=x))"},
		{`<R>a&amp;&lt;&gt;&quot;&apos;&#65;&#x42;</R>`, `(R=a&<>"'AB)`},
		{`<R>a<!-- c -->b<![CDATA[<&]]>c<?p?>d</R>`, "(R=ab<&cd)"},
		{"<R>a\r\nb\rc</R>", "(R=a\nb\nc)"},
		{"<R>&#x01;&#13;\x02</R>", "(R=\x01\r\x02)"}, // no XML 1.0, but what SDKs write
		{"<R>&#0;&#65535;</R>", "(R=\x00\uffff)"},    // names can hold these, too
		{`<R><A>1</A><A>2</A></R >`, "(R(A=1)(A=2))"},

		{``, ""},
		{`x`, ""},
		{`<R>`, ""},
		{`<R></r>`, ""},
		{`<R><A></R></A>`, ""},
		{`<R/><R/>`, ""},
		{`<R/>x`, ""},
		{`<S/>`, ""},
		{`<R>&unknown;</R>`, ""},
		{`<R>&#xD800;</R>`, ""},
		{`<R>&#99999999999;</R>`, ""},
		{`<R>&#;</R>`, ""},
		{`<R>&#x;</R>`, ""},
		{`<R>&amp</R>`, ""},
		{`<R>]]></R>`, ""},
		{`<R a=1/>`, ""},
		{`<R a="1"b="2"/>`, ""},
		{`<R a="<"/>`, ""},
		{`<R><!-- </R>`, ""},
		{`<R><!-- a -- b --></R>`, ""},
		{`<!-- a ---><R/>`, ""},
		{`<??><R></R>`, ""},
		{`<R><? x?></R>`, ""},
		{`<R><?xml version="1.0" encoding="GBK"?></R>`, ""},
		{"<R>\xff</R>", ""},
		{"<R>\x00</R>", ""},
		{`<?xml version="1.0" encoding="UTF-16"?><R/>`, ""},
		{`<!DOCTYPE R [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><R>&b;</R>`, ""},
		{`<R><!ENTITY a "a"></R>`, ""},
		{strings.Repeat("<R>", 33) + strings.Repeat("</R>", 33), ""},
		{"<R>" + strings.Repeat("<A/>", 50_000) + "</R>", ""},
	} {
		got, err := parse([]byte(tt.doc), "R")
		name := tt.doc[:min(len(tt.doc), 60)]
		if _, ok := errors.AsType[*stocktake.MalformedXMLError](err); (err != nil) != ok || ok != (tt.want == "") {
			t.Errorf("%q: error %v", name, err)
		} else if got != tt.want {
			t.Errorf("%q: %q, want %q", name, got, tt.want)
		}
	}
}

// FuzzParse checks that Parse reads what encoding/xml reads in the same way, except
// for what it refuses on purpose, and refuses what encoding/xml refuses, except for
// control characters.
func FuzzParse(f *testing.F) {
	f.Add(`<Delete><Quiet>false</Quiet><Object><Key>a&amp;b&#10;</Key></Object></Delete>`)
	f.Add(`<?xml version="1.0"?><R a="b"><!-- c --><A>x<![CDATA[y]]></A></R>`)
	f.Fuzz(func(t *testing.T, doc string) {
		odd := func(r rune) bool {
			return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff || r == ':'
		}
		if !utf8.ValidString(doc) || strings.ContainsFunc(doc, odd) || strings.Contains(doc, "&#") || strings.Contains(doc, "<!D") {
			t.Skip()
		}
		want, root, err := reference(doc)
		if err != nil && strings.Contains(err.Error(), "unsupported version") {
			t.Skip() // the version has no meaning to us
		}
		if root == "" {
			root = "R"
		}
		got, ourErr := parse([]byte(doc), root)
		if err == nil && ourErr == nil && got != want {
			t.Errorf("%q: %q, encoding/xml has %q", doc, got, want)
		}
		if err != nil && ourErr == nil {
			t.Errorf("%q: %q, encoding/xml has %v", doc, got, err)
		}
	})
}

// reference is parse by way of encoding/xml.
func reference(doc string) (s, root string, err error) {
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(doc, "\ufeff")))
	type open struct{ name, text, children string }
	var stack []open
	for {
		token, err := d.Token()
		if err == io.EOF {
			return s, root, nil
		}
		if err != nil {
			return "", root, err
		}
		switch v := token.(type) {
		case xml.StartElement:
			if len(stack) == 0 && root != "" {
				return "", root, errors.New("two roots")
			}
			root = cmpOr(root, v.Name.Local)
			stack = append(stack, open{name: v.Name.Local})
		case xml.EndElement:
			e := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			text := "(" + e.name + e.children
			if e.children == "" {
				text += "=" + e.text
			}
			text += ")"
			if len(stack) == 0 {
				s = text
			} else {
				stack[len(stack)-1].children += text
			}
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(v)
			} else if strings.Trim(string(v), " \t\r\n") != "" {
				return "", root, errors.New("text outside of the root")
			}
		}
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// FuzzNames holds that every name comes back from a listing as it went in, from
// XML and percent-encoded, and that other readers of XML see what it can say.
func FuzzNames(f *testing.F) {
	f.Add("a b+%25/猫,\"\n'<>&.jpg\r\t\x00\x01\x1f\x7f\uffff\ufffd")
	f.Fuzz(func(t *testing.T, name string) {
		for _, decode := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
			if got, err := decode(string(ossxml.AppendURL(nil, name))); err != nil || got != name {
				t.Errorf("%q: %q %v", name, got, err)
			}
		}
		doc := "<Key>" + string(ossxml.AppendText(nil, name)) + "</Key>"
		e, err := ossxml.Parse([]byte(doc), "Key")
		if want := strings.ToValidUTF8(name, "\uFFFD"); err != nil || utf8.ValidString(name) && e.Text != want {
			t.Errorf("%q is read back as %+v, %v", name, e, err)
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF }) {
			return // no XML 1.0
		}
		var got struct {
			Text string `xml:",chardata"`
		}
		if err := xml.Unmarshal([]byte(doc), &got); err != nil || got.Text != e.Text {
			t.Errorf("%q: encoding/xml reads %q, we %q (%v)", name, got.Text, e.Text, err)
		}
	})
}

func TestTime(t *testing.T) {
	var x ossxml.Writer
	x.Time("T", time.Date(2026, 1, 5, 17, 0, 0, 999_999_999, time.FixedZone("", 3600)))
	if want := "<T>2026-01-05T16:00:00.000Z</T>"; string(x.Buf) != want {
		t.Errorf("got %s, want %s", x.Buf, want)
	}
}

// The largest document that is accepted is not many times its size in memory.
func TestParseIsBounded(t *testing.T) {
	wide := []byte("<R>" + strings.Repeat("<A>12345678901</A>", 49_999) + "</R>")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ossxml.Parse(wide, "R"); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(24*len(wide)); got > most {
		t.Errorf("%d bytes take %d bytes of memory, more than %d", len(wide), got, most)
	}
}
