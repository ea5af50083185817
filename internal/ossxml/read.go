package ossxml

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
)

// Bounds on a document, besides its size. The largest honest one completes an
// upload of 10,000 parts: 30,001 elements, 3 deep. The deepest one is an
// inventory configuration, 6 deep, with whatever a newer client adds to it.
const (
	maxDepth    = 32
	maxElements = 50_000
)

// ECMalformed is the diagnostic code of a document that is not well-formed, or
// breaks its schema in a way that has no code of its own.
const ECMalformed = "0015-00000231"

// An Element is a node of a document. Its methods may be called on nil, which
// stands for an element that is missing.
type Element struct {
	Name     string // without namespace prefix
	Text     string // character data directly within it
	Children []Element
}

// Child returns the first child of that name, or nil.
func (e *Element) Child(name string) *Element {
	if e != nil {
		for i := range e.Children {
			if e.Children[i].Name == name {
				return &e.Children[i]
			}
		}
	}
	return nil
}

// Value returns the text of the first child of that name without blanks around
// it, or "" if there is none.
func (e *Element) Value(name string) string {
	if c := e.Child(name); c != nil {
		return strings.TrimSpace(c.Text)
	}
	return ""
}

// Parse reads a document whose root is an element called root. Its error is a
// [*stocktake.MalformedXMLError]. The caller bounds the size of data.
//
// Parse does not use encoding/xml, for two reasons. Official SDKs write object
// names with control characters as "&#x01;" or as they are, neither of which is
// XML 1.0, and OSS understands them; AppendText writes them so. And there is nothing here to expand: a
// document type is refused, and depth and number of elements are bounded.
// Namespaces, attributes and comments have no meaning in OSS and are skipped.
func Parse(data []byte, root string) (*Element, error) {
	e, err := ParseDocument(data, maxElements)
	if err == nil && e.Name != root {
		return nil, Malformed("the root element is not " + root)
	}
	return e, err
}

// ParseDocument is Parse of a document with any root element, and of at most so
// many elements.
func ParseDocument(data []byte, maxElements int) (*Element, error) {
	p := parser{s: strings.TrimPrefix(string(data), "\ufeff"), left: maxElements}
	if !utf8.ValidString(p.s) || strings.IndexByte(p.s, 0) >= 0 {
		return nil, Malformed("not UTF-8")
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	var e Element
	if err := p.element(&e, 1); err != nil {
		return nil, err
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	if p.i < len(p.s) {
		return nil, Malformed("something follows the root element")
	}
	return &e, nil
}

// Malformed returns the error of a document that is not well-formed.
func Malformed(reason string) error {
	return &stocktake.MalformedXMLError{EC: ECMalformed, Reason: reason}
}

type parser struct {
	s    string
	i    int // next byte
	left int // elements that may follow
}

func (p *parser) rest() string { return p.s[p.i:] }

// skip passes over prefix, if it comes next.
func (p *parser) skip(prefix string) bool {
	if strings.HasPrefix(p.rest(), prefix) {
		p.i += len(prefix)
		return true
	}
	return false
}

// until passes over the text up to and with end, and returns it without end.
func (p *parser) until(end string) (string, error) {
	n := strings.Index(p.rest(), end)
	if n < 0 {
		return "", Malformed("unexpected end")
	}
	text := p.s[p.i : p.i+n]
	p.i += n + len(end)
	return text, nil
}

func (p *parser) blanks() bool {
	start := p.i
	for p.i < len(p.s) && isBlank(p.s[p.i]) {
		p.i++
	}
	return p.i > start
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// misc skips comments and processing instructions around the root element.
func (p *parser) misc() error {
	for {
		p.blanks()
		var err error
		switch {
		case p.skip("<?"):
			err = p.instruction()
		case p.skip("<!--"):
			err = p.comment()
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
func (p *parser) instruction() error {
	target := p.name()
	text, err := p.until("?>")
	if err != nil {
		return err
	}
	if target == "" {
		return Malformed("a processing instruction has no name")
	}
	if target == "xml" {
		_, encoding, named := strings.Cut(text, "encoding")
		encoding = strings.TrimLeft(encoding, " \t\r\n=")
		if named && (len(encoding) < 7 || !strings.EqualFold(encoding[1:6], "utf-8")) {
			return Malformed("the encoding is not UTF-8")
		}
	}
	return nil
}

// comment passes over the rest of a comment.
func (p *parser) comment() error {
	text, err := p.until("-->")
	if err == nil && (strings.Contains(text, "--") || strings.HasSuffix(text, "-")) {
		err = Malformed("-- within a comment")
	}
	return err
}

// element reads an element into e.
func (p *parser) element(e *Element, depth int) error {
	if !p.skip("<") {
		return Malformed("an element is expected")
	}
	if p.left--; depth > maxDepth || p.left < 0 {
		return Malformed("the document has too many elements")
	}
	tag := p.name()
	if tag == "" {
		return Malformed("a name is expected")
	}
	e.Name = tag[strings.IndexByte(tag, ':')+1:]
	empty, err := p.attributes()
	if err != nil || empty {
		return err
	}
	if err := p.content(e, depth); err != nil {
		return err
	}
	if !p.skip(tag) {
		return Malformed(fmt.Sprintf("element %.40q is closed by another name", tag))
	}
	p.blanks()
	if !p.skip(">") {
		return Malformed("a > is missing")
	}
	return nil
}

// attributes passes over the attributes of a tag and its end. It reports
// whether the tag is one of an empty element.
func (p *parser) attributes() (empty bool, err error) {
	for {
		blank := p.blanks()
		if p.skip("/>") {
			return true, nil
		}
		if p.skip(">") {
			return false, nil
		}
		if !blank || p.name() == "" {
			return false, Malformed("a tag is not closed")
		}
		p.blanks()
		if !p.skip("=") {
			return false, Malformed("an attribute has no value")
		}
		p.blanks()
		quote := "\""
		if !p.skip(quote) {
			if quote = "'"; !p.skip(quote) {
				return false, Malformed("the value of an attribute is not quoted")
			}
		}
		value, err := p.until(quote)
		if err != nil || strings.IndexByte(value, '<') >= 0 {
			return false, Malformed("the value of an attribute is not closed")
		}
	}
}

// content reads what is within an element up to and with the "</" of its end.
func (p *parser) content(e *Element, depth int) error {
	var joined []byte // of several pieces of text; of one piece it stays empty
	for p.i < len(p.s) {
		var text string
		var err error
		switch {
		case p.skip("</"):
			if len(joined) > 0 {
				e.Text = string(joined)
			}
			return nil
		case p.skip("<!--"):
			err = p.comment()
		case p.skip("<![CDATA["):
			text, err = p.until("]]>")
		case p.skip("<?"):
			err = p.instruction()
		case strings.HasPrefix(p.rest(), "<!"):
			err = Malformed("a declaration is not allowed")
		case p.s[p.i] == '<':
			var c Element
			err = p.element(&c, depth+1)
			e.Children = append(e.Children, c)
		default:
			text, err = p.text()
		}
		switch {
		case err != nil:
			return err
		case text == "":
		case e.Text == "":
			e.Text = text
		default:
			if len(joined) == 0 {
				joined = append(joined, e.Text...)
			}
			joined = append(joined, text...)
		}
	}
	return Malformed("unexpected end")
}

// name reads a tag's or attribute's name with its prefix; empty if there is
// none.
func (p *parser) name() string {
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
func (p *parser) text() (string, error) {
	n := strings.IndexByte(p.rest(), '<')
	if n < 0 {
		return "", Malformed("unexpected end")
	}
	raw := p.s[p.i : p.i+n]
	p.i += n
	if strings.Contains(raw, "]]>") {
		return "", Malformed("]]> outside of CDATA")
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
			return "", Malformed("an entity is not known")
		}
		b.WriteRune(r)
		raw = rest
	}
}

// reference returns the character that &ref; denotes.
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
	if digits == "" {
		return 0, false
	}
	var r rune
	for i := range len(digits) {
		d := rune(strings.IndexByte("0123456789abcdef", digits[i]|0x20))
		if digits[i] < '0' || d < 0 || d >= base || r > utf8.MaxRune {
			return 0, false
		}
		r = r*base + d
	}
	return r, utf8.ValidRune(r)
}
