package listpage

import (
	"bytes"
	"encoding/binary"

	"github.com/stocktake/stocktake"
)

// A form is how a row is written: what stands before each of its texts, and after
// the last. A store writes the rows of a page alike, so that most of them are parsed
// by comparing them with the form of a row before.
type form struct {
	steps    []step
	end      []byte // after the last text
	elements int
	blank    stocktake.Record // what all rows of the form have in common
}

// A step is a text of a row. All that is before it, back to the text before, is
// lead, which lies in the body of the page.
type step struct {
	lead  []byte
	field field  // numFields: the text is not part of the record
	text  []byte // of a row before, if it is not part of the record and has no reference
}

func (f *form) forget() { f.steps = f.steps[:0] }

// learning is what the parser of a row keeps, to know its form in the end.
type learning struct {
	form           *form // nil: it cannot be known
	known          int   // place up to which the form is known
	began          int   // place where the last text began
	elementsBefore int
}

// note adds the text of an element that was just closed to the form of its row.
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
	case f != numFields: // it has a text, but no place for one
		c.form.forget()
		c.form = nil
	}
}

// learned completes the form of a row of kind k.
func (c *cursor) learned(k kind) {
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

// alike parses a row that has the form of a row before, and adds its record. It
// returns false if the row has another form, or a text that is not as usual; then the
// cursor has not moved.
func (c *cursor) alike() bool {
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
// Texts that have a form of their own are read from where they begin: they hold
// neither '<' nor '&', and that the next lead follows shows where they end.
func (c *cursor) fill(f *form, r *stocktake.Record) (milli int64, ok bool) {
	at := c.at
	for i := range f.steps {
		s := &f.steps[i]
		if !begins(c.body[at:], s.lead) {
			return 0, false
		}
		at += len(s.lead)
		rest := c.body[at:]
		n := 0 // bytes of the text, if it is as usual
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

// begins is bytes.HasPrefix, which makes a call that takes longer than to compare the
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
// mean nothing, so they are left out and it stays where it is.
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
