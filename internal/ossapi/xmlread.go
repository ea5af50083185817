package ossapi

import (
	"strings"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
)

// Bounds on a document that a stranger sends, beside its size. The largest
// honest one completes an upload of 10,000 parts: 30,001 elements, 3 deep.
const (
	maxXMLDepth    = 16
	maxXMLElements = 50_000
)

// ecMalformed is the diagnostic code of a document that is not well-formed.
const ecMalformed = "0015-00000231"

// An element is a node of a document. Its methods may be called on nil, which
// is an element that is not there.
type element struct {
	name     string // without namespace prefix
	text     string // character data directly within it
	children []element
}

// child is the first child of that name, or nil.
func (e *element) child(name string) *element {
	if e != nil {
		for i := range e.children {
			if e.children[i].name == name {
				return &e.children[i]
			}
		}
	}
	return nil
}

// value is the text of the first child of that name without blanks around it,
// empty if there is none.
func (e *element) value(name string) string {
	if c := e.child(name); c != nil {
		return strings.TrimSpace(c.text)
	}
	return ""
}

// parseXML reads a document whose root is an element called root. Its error is
// a [stocktake.MalformedXMLError].
//
// It is not encoding/xml, for two reasons. Official SDKs write object names
// with control characters as "&#x01;" or as they are, neither of which is XML
// 1.0, and OSS understands them. And there is nothing here to expand: a
// document type is refused, and depth and number of elements are bounded.
// Namespaces, attributes and comments mean nothing and are skipped.
func parseXML(data []byte, root string) (*element, error) {
	p := xmlParser{s: strings.TrimPrefix(string(data), "\ufeff")}
	if !utf8.ValidString(p.s) || strings.IndexByte(p.s, 0) >= 0 {
		return nil, malformed("not UTF-8")
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	var e element
	if err := p.element(&e, 1); err != nil {
		return nil, err
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	if p.i < len(p.s) {
		return nil, malformed("something follows the root element")
	}
	if e.name != root {
		return nil, malformed("the root element is not " + root)
	}
	return &e, nil
}

func malformed(reason string) error {
	return &stocktake.MalformedXMLError{EC: ecMalformed, Reason: reason}
}

type xmlParser struct {
	s        string
	i        int // next byte
	elements int
}

func (p *xmlParser) rest() string { return p.s[p.i:] }

// skip passes over prefix, if it comes next.
func (p *xmlParser) skip(prefix string) bool {
	if strings.HasPrefix(p.rest(), prefix) {
		p.i += len(prefix)
		return true
	}
	return false
}

// until passes over the text up to and with end, and returns it without end.
func (p *xmlParser) until(end string) (string, error) {
	n := strings.Index(p.rest(), end)
	if n < 0 {
		return "", malformed("unexpected end")
	}
	text := p.s[p.i : p.i+n]
	p.i += n + len(end)
	return text, nil
}

func (p *xmlParser) blanks() bool {
	start := p.i
	for p.i < len(p.s) && isBlank(p.s[p.i]) {
		p.i++
	}
	return p.i > start
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// misc passes over what may stand before and after the root element.
func (p *xmlParser) misc() error {
	for {
		p.blanks()
		var err error
		switch {
		case p.skip("<?"):
			err = p.instruction()
		case p.skip("<!--"):
			_, err = p.until("-->")
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// instruction passes over a processing instruction. The XML declaration may
// name no encoding but UTF-8.
func (p *xmlParser) instruction() error {
	text, err := p.until("?>")
	if err != nil {
		return err
	}
	if rest, ok := strings.CutPrefix(text, "xml"); ok {
		_, encoding, named := strings.Cut(rest, "encoding")
		encoding = strings.TrimLeft(encoding, " \t\r\n=")
		if named && (len(encoding) < 7 || !strings.EqualFold(encoding[1:6], "utf-8")) {
			return malformed("the encoding is not UTF-8")
		}
	}
	return nil
}

// element reads an element into e.
func (p *xmlParser) element(e *element, depth int) error {
	if !p.skip("<") {
		return malformed("an element is expected")
	}
	if p.elements++; depth > maxXMLDepth || p.elements > maxXMLElements {
		return malformed("the document has too many elements")
	}
	tag := p.name()
	if tag == "" {
		return malformed("a name is expected")
	}
	e.name = tag[strings.IndexByte(tag, ':')+1:]
	empty, err := p.attributes()
	if err != nil || empty {
		return err
	}
	if err := p.content(e, depth); err != nil {
		return err
	}
	if !p.skip(tag) {
		return malformed("element " + bounded(tag) + " is closed by another name")
	}
	p.blanks()
	if !p.skip(">") {
		return malformed("a > is missing")
	}
	return nil
}

// attributes passes over the attributes of a tag and its end. It reports
// whether the tag is one of an empty element.
func (p *xmlParser) attributes() (empty bool, err error) {
	for {
		blank := p.blanks()
		if p.skip("/>") {
			return true, nil
		}
		if p.skip(">") {
			return false, nil
		}
		if !blank || p.name() == "" {
			return false, malformed("a tag is not closed")
		}
		p.blanks()
		if !p.skip("=") {
			return false, malformed("an attribute has no value")
		}
		p.blanks()
		quote := "\""
		if !p.skip(quote) {
			if quote = "'"; !p.skip(quote) {
				return false, malformed("the value of an attribute is not quoted")
			}
		}
		value, err := p.until(quote)
		if err != nil || strings.IndexByte(value, '<') >= 0 {
			return false, malformed("the value of an attribute is not closed")
		}
	}
}

// content reads what is within an element up to and with the "</" of its end.
func (p *xmlParser) content(e *element, depth int) error {
	var joined []byte // of several pieces of text; of one piece it stays empty
	for p.i < len(p.s) {
		var text string
		var err error
		switch {
		case p.skip("</"):
			if len(joined) > 0 {
				e.text = string(joined)
			}
			return nil
		case p.skip("<!--"):
			_, err = p.until("-->")
		case p.skip("<![CDATA["):
			text, err = p.until("]]>")
		case p.skip("<?"):
			_, err = p.until("?>")
		case strings.HasPrefix(p.rest(), "<!"):
			err = malformed("a declaration is not allowed")
		case p.s[p.i] == '<':
			var c element
			err = p.element(&c, depth+1)
			e.children = append(e.children, c)
		default:
			text, err = p.text()
		}
		switch {
		case err != nil:
			return err
		case text == "":
		case e.text == "":
			e.text = text
		default:
			if len(joined) == 0 {
				joined = append(joined, e.text...)
			}
			joined = append(joined, text...)
		}
	}
	return malformed("unexpected end")
}

// name reads a tag's or attribute's name with its prefix; empty if there is
// none.
func (p *xmlParser) name() string {
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' || c >= 0x80
		if !letter && (p.i == start || (c < '0' || c > '9') && c != '-' && c != '.') {
			break
		}
		p.i++
	}
	return p.s[start:p.i]
}

// text reads character data up to the next tag.
func (p *xmlParser) text() (string, error) {
	n := strings.IndexByte(p.rest(), '<')
	if n < 0 {
		return "", malformed("unexpected end")
	}
	raw := p.s[p.i : p.i+n]
	p.i += n
	if strings.Contains(raw, "]]>") {
		return "", malformed("]]> outside of CDATA")
	}
	if strings.IndexByte(raw, '\r') >= 0 {
		raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\r", "\n")
	}
	if strings.IndexByte(raw, '&') < 0 {
		return raw, nil
	}
	var b strings.Builder
	for {
		plain, after, found := strings.Cut(raw, "&")
		b.WriteString(plain)
		if !found {
			return b.String(), nil
		}
		ref, rest, closed := strings.Cut(after, ";")
		r, ok := reference(ref)
		if !closed || !ok {
			return "", malformed("an entity is not known")
		}
		b.WriteRune(r)
		raw = rest
	}
}

// reference is the character that &ref; stands for.
func reference(ref string) (rune, bool) {
	switch ref {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, base := strings.TrimPrefix(ref, "#"), rune(10)
	if len(digits) == len(ref) {
		return 0, false
	}
	if digits != "" && digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	var r rune
	for i := range len(digits) {
		d := rune(strings.IndexByte("0123456789abcdef", digits[i]|0x20))
		if digits[i] < '0' || d < 0 || d >= base || r > utf8.MaxRune {
			return 0, false
		}
		r = r*base + d
	}
	return r, r != 0 && utf8.ValidRune(r) // no digits at all are 0, too
}

// bounded cuts what a stranger sent to what may be said back or logged.
func bounded(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }
