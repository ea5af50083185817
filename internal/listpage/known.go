package listpage

import (
	"bytes"
	"unicode/utf8"
)

// A cursor is a position in a page of a known form. Its methods return false if the
// page has anything unknown there.
type cursor struct {
	page     *Page
	body     []byte
	at       int
	elements int

	learning
}

// parseKnown parses a page in the form that stores are known to send: no comments,
// no CDATA, no prefixes, no attributes except the namespace of the root, and only
// known elements. ok is false if the page has another form; then the content of p
// is undefined.
func (p *Page) parseKnown(body []byte) (encoded, ok bool, err error) {
	if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 || bytes.IndexByte(body, '\r') >= 0 || bytes.Contains(body, cdataEnd) {
		return false, false, nil
	}
	c := cursor{page: p, body: body}
	if bytes.HasPrefix(body, declaration) {
		c.at = len(declaration)
	}
	c.blanks()
	root, empty, ok := c.open(true)
	if !ok || empty {
		return false, false, nil
	}
	switch string(root) {
	case "ListBucketResult":
	case "ListVersionsResult":
		p.Versions = true
	default:
		return false, false, nil
	}
	encoded, ok, err = c.list()
	if !ok || err != nil {
		return false, ok, err
	}
	if !c.close(root) {
		return false, false, nil
	}
	c.blanks()
	return encoded, c.at == len(body), nil
}

var (
	declaration = []byte(`<?xml version="1.0" encoding="UTF-8"?>`)
	cdataEnd    = []byte("]]>")
)

// list parses the content of the root.
func (c *cursor) list() (encoded, ok bool, err error) {
	var truncated, encoding bool // elements that were present
	for c.blanks(); !c.closes(); c.blanks() {
		if c.likeEarlierRow() {
			continue
		}
		start := c.at
		name, empty, ok := c.open(false)
		if !ok {
			return false, false, nil
		}
		switch string(name) {
		case "Contents", "Version", "DeleteMarker":
			if ok, err := c.row(start, name, empty); !ok || err != nil {
				return false, ok, err
			}
		case "IsTruncated":
			text, ok := c.scalar(name, empty)
			text = bytes.TrimSpace(text)
			if c.page.Truncated = string(text) == "true"; !ok || truncated || !c.page.Truncated && string(text) != "false" {
				return false, false, nil
			}
			truncated = true
		case "EncodingType":
			text, ok := c.scalar(name, empty)
			if !ok || encoding {
				return false, false, nil
			}
			encoded, encoding = bytes.EqualFold(bytes.TrimSpace(text), urlEncoding), true
		case "StartAfter", "Marker", "KeyMarker":
			text, ok := c.scalar(name, empty)
			if !ok || c.page.hasAfter {
				return false, false, nil
			}
			c.page.after, c.page.hasAfter = text, true
		case "Name", "Tenant", "Prefix", "NextMarker", "VersionIdMarker", "NextKeyMarker", "NextVersionIdMarker",
			"MaxKeys", "Delimiter", "KeyCount", "ContinuationToken", "NextContinuationToken", "RequestCharged":
			if _, ok := c.scalar(name, empty); !ok {
				return false, false, nil
			}
		default:
			return false, false, nil
		}
	}
	return encoded, truncated, nil
}

var urlEncoding = []byte("url")

// row parses a row of the listing that begins at start, and adds its record. It
// learns the form of the row.
func (c *cursor) row(start int, name []byte, empty bool) (ok bool, err error) {
	k := rowObject
	switch string(name) {
	case "Version":
		k = rowVersion
	case "DeleteMarker":
		k = rowDeleteMarker
	}
	if empty || (k == rowObject) == c.page.Versions {
		return false, nil
	}
	c.form, c.known, c.elementsBefore = &c.page.forms[k], start, c.elements-1
	c.form.forget()
	var r row
	for c.blanks(); !c.closes(); c.blanks() {
		name, empty, ok := c.open(false)
		if !ok {
			return false, nil
		}
		f := numFields
		switch string(name) {
		case "Key":
			f = fieldKey
		case "VersionId":
			f = fieldVersionID
		case "IsLatest":
			f = fieldIsLatest
		case "LastModified":
			f = fieldLastModified
		case "ETag":
			f = fieldETag
		case "Size":
			f = fieldSize
		case "StorageClass":
			f = fieldStorageClass
		case "Type":
			f = fieldType
		case "TransitionTime":
			f = fieldTransitionTime
		case "Owner", "RestoreStatus":
			if !empty && !c.scalars(name) {
				return false, nil
			}
			continue
		case "ChecksumAlgorithm", "ChecksumType", "RestoreInfo":
		default:
			return false, nil
		}
		text, ok := c.scalar(name, empty)
		if ok {
			c.note(f, name, empty)
		}
		if f == numFields && ok {
			continue
		}
		if !ok || r[f] != nil {
			return false, nil
		}
		r[f] = text
	}
	if !c.close(name) {
		return false, nil
	}
	if err := c.page.add(k, &r); err != nil {
		return true, err
	}
	c.learned(k)
	return true, nil
}

// scalars skips an element whose children contain only text.
func (c *cursor) scalars(name []byte) bool {
	for c.blanks(); !c.closes(); c.blanks() {
		name, empty, ok := c.open(false)
		if !ok {
			return false
		}
		if _, ok := c.scalar(name, empty); !ok {
			return false
		}
		c.note(numFields, name, empty)
	}
	return c.close(name)
}

// open reads a start tag. The root may have a namespace.
func (c *cursor) open(root bool) (name []byte, empty, ok bool) {
	if c.elements++; c.elements > maxElements || c.at >= len(c.body) || c.body[c.at] != '<' {
		return nil, false, false
	}
	start := c.at + 1
	end := start
	for end < len(c.body) && isLetter(c.body[end]) {
		end++
	}
	name = c.body[start:end]
	if len(name) == 0 {
		return nil, false, false
	}
	rest := c.body[end:]
	if root && bytes.HasPrefix(rest, nameSpace) {
		n := bytes.IndexByte(rest[len(nameSpace):], '"')
		if n < 0 || bytes.IndexByte(rest[len(nameSpace):len(nameSpace)+n], '<') >= 0 {
			return nil, false, false
		}
		end += len(nameSpace) + n + 1
		rest = c.body[end:]
	}
	switch {
	case len(rest) > 0 && rest[0] == '>':
		c.at = end + 1
		return name, false, true
	case len(rest) > 1 && rest[0] == '/' && rest[1] == '>':
		c.at = end + 2
		return name, true, true
	}
	return nil, false, false
}

var nameSpace = []byte(` xmlns="`)

func isLetter(b byte) bool { return b|0x20-'a' < 26 }

// closes reports whether an end tag is next.
func (c *cursor) closes() bool {
	return c.at+1 < len(c.body) && c.body[c.at] == '<' && c.body[c.at+1] == '/'
}

// close reads the end tag of name.
func (c *cursor) close(name []byte) bool {
	end := c.at + 2 + len(name)
	if !c.closes() || end >= len(c.body) || string(c.body[c.at+2:end]) != string(name) || c.body[end] != '>' {
		return false
	}
	c.at = end + 1
	return true
}

// scalar reads the text of an element whose start tag has been read, and its end
// tag. The text is never nil.
func (c *cursor) scalar(name []byte, empty bool) (text []byte, ok bool) {
	if empty {
		return c.body[c.at:c.at], true
	}
	n := bytes.IndexByte(c.body[c.at:], '<')
	if n < 0 {
		return nil, false
	}
	c.began = c.at
	text = c.body[c.at : c.at+n : c.at+n]
	c.at += n
	if bytes.IndexByte(text, '&') >= 0 {
		if text, ok = c.resolve(text); !ok {
			return nil, false
		}
	}
	return text, c.close(name)
}

// resolve replaces the references in text.
func (c *cursor) resolve(text []byte) ([]byte, bool) {
	arena := c.page.arena
	start := len(arena)
	for {
		n := bytes.IndexByte(text, '&')
		if n < 0 {
			break
		}
		arena = append(arena, text[:n]...)
		text = text[n+1:]
		end := bytes.IndexByte(text[:min(len(text), 8)], ';')
		if end < 0 {
			return nil, false
		}
		r, ok := reference(text[:end])
		if !ok {
			return nil, false
		}
		arena = utf8.AppendRune(arena, r)
		text = text[end+1:]
	}
	c.page.arena = append(arena, text...)
	return c.page.arena[start:len(c.page.arena):len(c.page.arena)], true
}

// reference returns the character that &ref; stands for.
func reference(ref []byte) (r rune, ok bool) {
	switch string(ref) {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot", "#34":
		return '"', true
	case "apos", "#39":
		return '\'', true
	}
	if len(ref) < 2 || ref[0] != '#' {
		return 0, false
	}
	hex := ref[1] == 'x'
	if ref = ref[1:]; hex {
		ref = ref[1:]
	}
	for _, c := range ref {
		switch d := hexDigit[c]; {
		case hex && d < 16:
			r = r<<4 | rune(d)
		case !hex && d < 10:
			r = r*10 + rune(d)
		default:
			return 0, false
		}
	}
	return r, r != 0 && utf8.ValidRune(r)
}

// blanks skips white space between elements.
func (c *cursor) blanks() {
	for c.at < len(c.body) && (c.body[c.at] == ' ' || c.body[c.at] == '\n' || c.body[c.at] == '\t') {
		c.at++
	}
}
