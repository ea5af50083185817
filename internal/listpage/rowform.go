package listpage

import (
	"bytes"
	"encoding/binary"

	"github.com/stocktake/stocktake"
)

// A rowForm is the text of a row around its values: the text before each value and
// after the last. A store writes all rows of a page in the same form, so most of
// them are parsed by comparing them with the form of an earlier row.
type rowForm struct {
	steps    []step
	end      []byte // after the last text
	elements int
	blank    stocktake.Record // the fields that all rows of the form share
}

// A step is one text of a row. lead is everything between the previous text and
// this one; it points into the body of the page.
type step struct {
	lead  []byte
	field field  // numFields: the text is not part of the record
	text  []byte // of an earlier row, if it is not part of the record and has no reference
}

func (f *rowForm) forget() { f.steps = f.steps[:0] }

// learning is what the parser of a row records to learn its form.
type learning struct {
	form           *rowForm // nil: it cannot be known
	known          int      // index up to which the form is known
	began          int      // index at which the last text began
	elementsBefore int
}

// note adds the text of the element that has just ended to the form of its row.
func (c *cursor) note(f field, name []byte, empty bool) {
	switch {
	case c.form == nil:
	case !empty:
		s := step{lead: c.body[c.known:c.began], field: f}
		c.known = c.at - len("</>") - len(name)
		if text := c.body[c.began:c.known]; f == numFields && bytes.IndexByte(text, '&') < 0 {
			s.text = text
		}
		c.form.steps = append(c.form.steps, s)
	case f != numFields: // it has a text, but no step for it
		c.form.forget()
		c.form = nil
	}
}

// learned completes the form of a row of kind k.
func (c *cursor) learned(k rowKind) {
	f := c.form
	if f == nil {
		return
	}
	f.end, f.elements, f.blank = c.body[c.known:c.at], c.elements-c.elementsBefore, blank(k)
	for i := range f.steps {
		switch s := &f.steps[i]; {
		case !s.field.of(k):
			s.field = numFields
		case s.field == fieldType:
			f.blank.Missing &^= stocktake.MissingType
		}
	}
}

// likeEarlierRow parses a row in the form of an earlier row, and adds its record. It returns
// false, without moving the cursor, if the row has another form or an unusual text.
func (c *cursor) likeEarlierRow() bool {
	p := c.page
	n := len(p.Records)
	for k := range p.forms {
		f := &p.forms[k]
		if len(f.steps) == 0 || c.elements+f.elements > maxElements || !begins(c.body[c.at:], f.steps[0].lead) {
			continue
		}
		p.Records = append(p.Records, f.blank)
		if milli, ok := c.fill(f, &p.Records[n]); ok {
			p.millis = append(p.millis, milli)
			return true
		}
		p.Records = p.Records[:n]
	}
	return false
}

// fill reads the texts of a row of form f into its record.
//
// Texts with a fixed format are parsed from their beginning: they contain neither
// '<' nor '&', and the next lead confirms where they end.
func (c *cursor) fill(f *rowForm, r *stocktake.Record) (milli int64, ok bool) {
	at := c.at
	for i := range f.steps {
		s := &f.steps[i]
		if !begins(c.body[at:], s.lead) {
			return 0, false
		}
		at += len(s.lead)
		rest := c.body[at:]
		n := 0 // length of the text, if it is a usual one
		switch s.field {
		case fieldIsLatest:
			if r.IsLatest = bytes.HasPrefix(rest, yes); r.IsLatest {
				n = len(yes)
			} else if bytes.HasPrefix(rest, no) {
				n = len(no)
			}
		case fieldLastModified:
			if milli, ok = usualTime(rest); ok {
				r.LastModified, n = floorSeconds(milli), usualTimeLen
			}
		case fieldSize:
			r.Size, n = leadingSize(rest)
		case fieldETag:
			n = usualETag(rest, &r.ETag)
		case fieldStorageClass:
			if class := c.page.lastClass.String(); class != "" && len(rest) > len(class) && string(rest[:len(class)]) == class {
				r.StorageClass, n = c.page.lastClass, len(class)
			}
		case numFields:
			if begins(rest, s.text) {
				n = len(s.text)
			}
		}
		if n > 0 && n < len(rest) && rest[n] == '<' {
			at += n
			continue
		}
		n = bytes.IndexByte(rest, '<')
		if n < 0 {
			return 0, false
		}
		at += n
		text := rest[:n:n]
		if bytes.IndexByte(text, '&') >= 0 {
			if s.field == numFields {
				return 0, false
			}
			if text, ok = c.unquoted(s.field, text); !ok {
				return 0, false
			}
		}
		switch s.field {
		case fieldKey:
			r.Key = text
		case numFields:
			s.text = text
			continue
		case fieldLastModified:
			if milli, ok = parseTime(trim(text)); !ok {
				return 0, false
			}
			r.LastModified = floorSeconds(milli)
		default:
			if !c.page.set(r, s.field, trim(text)) {
				return 0, false
			}
		}
	}
	if len(r.Key) == 0 || !begins(c.body[at:], f.end) {
		return 0, false
	}
	if r.Type == stocktake.Multipart {
		r.Multipart = true
	}
	c.at, c.elements = at+len(f.end), c.elements+f.elements
	return milli, true
}

// begins is bytes.HasPrefix without the call, which takes longer than comparing the
// few words that most leads have.
func begins(text, lead []byte) bool {
	n := len(lead)
	if len(text) < n {
		return false
	}
	if n < 8 {
		return string(text[:n]) == string(lead)
	}
	text = text[:n]
	for i := 0; i < n-8; i += 8 {
		if binary.LittleEndian.Uint64(text[i:i+8:i+8]) != binary.LittleEndian.Uint64(lead[i:i+8:i+8]) {
			return false
		}
	}
	return binary.LittleEndian.Uint64(text[n-8:]) == binary.LittleEndian.Uint64(lead[n-8:])
}

var yes, no = []byte("true"), []byte("false")

// unquoted returns the text of a field without references. Quotes around an ETag
// are skipped, so that the text stays in place.
func (c *cursor) unquoted(f field, text []byte) ([]byte, bool) {
	for _, q := range [...][]byte{quot, number34} {
		if inner, ok := bytes.CutPrefix(text, q); f == fieldETag && ok {
			if inner, ok = bytes.CutSuffix(inner, q); ok && len(inner) > 0 && inner[0] != '"' && bytes.IndexByte(inner, '&') < 0 {
				return inner, trimmed(inner)
			}
		}
	}
	return c.resolve(text)
}

var (
	quot     = []byte("&quot;")
	number34 = []byte("&#34;")
)
