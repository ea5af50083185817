package stocktake

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Most documents are plain: elements without attributes and text, as AppendXML
// and OSS write them. A plainScanner reads those some ten times faster than
// encoding/xml. Whatever else XML has, and whatever is wrong, makes it give up;
// then encoding/xml reads the document from its start, and it alone says what is
// an error. So the scanner must never accept what encoding/xml does not, nor
// read it otherwise; it may give up as it likes.
type plainScanner struct {
	data []byte
	pos  int
	open [][]byte // names of the open elements
	self bool     // the innermost of them was empty, <Name/>, and is still to be ended
	text []byte   // of the last plainText, if references were resolved in it
}

type plainToken uint8

const (
	plainUnusual plainToken = iota // given up
	plainStart                     // with the name
	plainText                      // with the text, which may be only a part of it
	plainEnd
)

// plainDeclaration is the only one that a plain document may begin with, but for
// its letters' case in the encoding.
const plainDeclaration = `<?xml version="1.0" encoding="UTF-8"?>`

// newPlainScanner is for a document that is UTF-8, without a byte order mark.
func newPlainScanner(data []byte) *plainScanner {
	if n := len(plainDeclaration); len(data) >= n && strings.EqualFold(string(data[:n]), plainDeclaration) &&
		bytes.HasPrefix(data, []byte("<?xml version")) {
		data = data[n:]
	}
	return &plainScanner{data: data, open: make([][]byte, 0, maxXMLDepth+1)}
}

// root reads to the start of the root element, which must have the name.
func (s *plainScanner) root(name string) bool {
	s.blanks()
	token, got := s.next()
	return token == plainStart && string(got) == name
}

// finished reports whether nothing follows the end of the root element.
func (s *plainScanner) finished() bool {
	s.blanks()
	return s.pos == len(s.data) && len(s.open) == 0
}

// next gives what comes next inside the root. The bytes hold until it is called
// again.
func (s *plainScanner) next() (plainToken, []byte) {
	if s.self {
		s.self = false
		return s.pop()
	}
	if s.pos >= len(s.data) {
		return plainUnusual, nil
	}
	if s.data[s.pos] != '<' {
		return s.chars()
	}
	s.pos++
	if s.skip('/') {
		name := s.name()
		s.blanks()
		if len(s.open) == 0 || !bytes.Equal(name, s.open[len(s.open)-1]) || !s.skip('>') {
			return plainUnusual, nil
		}
		return s.pop()
	}
	name := s.name()
	s.blanks()
	s.self = s.skip('/')
	if len(name) == 0 || !s.skip('>') || len(s.open) == cap(s.open) {
		return plainUnusual, nil
	}
	s.open = append(s.open, name)
	return plainStart, name
}

func (s *plainScanner) pop() (plainToken, []byte) {
	s.open = s.open[:len(s.open)-1]
	return plainEnd, nil
}

func (s *plainScanner) skip(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *plainScanner) blanks() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// name reads a name of ASCII; it is empty if there is none.
func (s *plainScanner) name() []byte {
	from := s.pos
	for ; s.pos < len(s.data); s.pos++ {
		c := s.data[s.pos]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (s.pos == from || (c < '0' || c > '9') && c != '-' && c != '.') {
			break
		}
	}
	return s.data[from:s.pos]
}

// chars reads text to the next tag.
func (s *plainScanner) chars() (plainToken, []byte) {
	from := s.pos
	s.text = s.text[:0]
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '<':
			if len(s.text) == 0 {
				return plainText, s.data[from:s.pos]
			}
			s.text = append(s.text, s.data[from:s.pos]...)
			return plainText, s.text
		case c == '&':
			s.text = append(s.text, s.data[from:s.pos]...)
			if !s.reference() {
				return plainUnusual, nil
			}
			from = s.pos + 1 // the loop steps over the ';'
		case c < ' ' && c != '\t' && c != '\n', c == '>' && bytes.HasSuffix(s.data[from:s.pos], []byte("]]")):
			return plainUnusual, nil // also '\r', which XML makes a '\n'
		case c == 0xEF && !inXML(first(s.data[s.pos:]), string(s.data[s.pos:min(s.pos+3, len(s.data))])):
			return plainUnusual, nil
		}
	}
	return plainUnusual, nil
}

func first(b []byte) rune {
	r, _ := utf8.DecodeRune(b)
	return r
}

// longestReference is that of a character, with '&' and ';'.
const longestReference = len("&#1114111;")

// reference resolves what begins at s.pos with '&', and goes on to its ';'.
func (s *plainScanner) reference() bool {
	rest := s.data[s.pos:]
	end := bytes.IndexByte(rest[:min(len(rest), longestReference)], ';')
	if end < 0 {
		return false
	}
	s.pos += end
	switch name := string(rest[1:end]); name {
	case "amp":
		s.text = append(s.text, '&')
	case "lt":
		s.text = append(s.text, '<')
	case "gt":
		s.text = append(s.text, '>')
	case "quot":
		s.text = append(s.text, '"')
	case "apos":
		s.text = append(s.text, '\'')
	default:
		digits, ok := strings.CutPrefix(name, "#")
		n, err := strconv.ParseUint(digits, 10, 31)
		if !ok || err != nil || !utf8.ValidRune(rune(n)) || !inXML(rune(n), string(rune(n))) {
			return false
		}
		s.text = utf8.AppendRune(s.text, rune(n))
	}
	return true
}

// document reads an InventoryConfiguration, whose start has been read, to its
// end; false if it is not plain or not of the schema.
func (s *plainScanner) document(into *elementScan) bool {
	for {
		switch token, b := s.next(); token {
		case plainStart:
			if into.start(b) != nil {
				return false
			}
		case plainText:
			into.chars(b)
		case plainEnd:
			if into.end() {
				return true
			}
		default:
			return false
		}
	}
}

// textOf reads an element that has only text, and whose start has been read, to
// its end.
func (s *plainScanner) textOf() (string, bool) {
	token, b := s.next()
	text := string(b)
	if token == plainText {
		token, _ = s.next()
	}
	return text, token == plainEnd
}

// plainList is ParseInventoryList for a plain document in which nothing is
// wrong; false for any other.
func plainList(data []byte) (page []InventoryConfiguration, next string, truncated, ok bool) {
	s := newPlainScanner(data)
	if !s.root(inventoryListElement) {
		return nil, "", false, false
	}
	scan := newElementScan()
	for {
		token, name := s.next()
		switch {
		case token == plainText:
			continue
		case token == plainEnd:
			return page, next, truncated, s.finished()
		case token == plainUnusual:
			return nil, "", false, false
		case string(name) == configurationElement:
			scan.reset()
			if !s.document(scan) {
				return nil, "", false, false
			}
			c, err := scan.doc.read()
			if err != nil {
				return nil, "", false, false
			}
			page = append(page, c)
			continue
		}
		field := string(name)
		text, ok := s.textOf()
		if !ok {
			return nil, "", false, false
		}
		switch field {
		case "IsTruncated":
			var err error
			if truncated, err = strconv.ParseBool(strings.TrimSpace(text)); err != nil {
				return nil, "", false, false
			}
		case "NextContinuationToken":
			next = text
		}
	}
}

// plainDocument reads a plain document of one InventoryConfiguration.
func plainDocument(data []byte) (*document, bool) {
	s, scan := newPlainScanner(data), newElementScan()
	if !s.root(configurationElement) || !s.document(scan) || !s.finished() {
		return nil, false
	}
	return &scan.doc, true
}
