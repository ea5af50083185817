package listpage

import "bytes"

// A form is how a row is written: what stands before each of its texts, and after
// the last. A store writes the rows of a page alike, so that most of them are parsed
// by comparing them with the form of a row before.
type form struct {
	steps    []step
	end      []byte // after the last text
	elements int
}

// A step is a text of a row. All that is before it, back to the text before, is
// lead, which lies in the body of the page.
type step struct {
	lead  []byte
	field field // numFields: the text is not part of the record
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
		c.form.steps = append(c.form.steps, step{lead: c.body[c.known:c.began], field: f})
		c.known = c.at - len("</>") - len(name)
	case f != numFields: // it has a text, but no place for one
		c.form.forget()
		c.form = nil
	}
}

// learned completes the form of a row.
func (c *cursor) learned() {
	if c.form != nil {
		c.form.end, c.form.elements = c.body[c.known:c.at], c.elements-c.elementsBefore
	}
}

// alike parses a row that has the form of a row before, and adds its record. ok is
// false if it has another form; then the cursor has not moved.
func (c *cursor) alike() (ok bool, err error) {
	for k := range c.page.forms {
		var r row
		if c.fill(&c.page.forms[k], &r) {
			return true, c.page.add(kind(k), &r)
		}
	}
	return false, nil
}

// fill reads the texts of a row of form f.
func (c *cursor) fill(f *form, r *row) bool {
	if len(f.steps) == 0 || c.elements+f.elements > maxElements {
		return false
	}
	at := c.at
	for i := range f.steps {
		s := &f.steps[i]
		if !bytes.HasPrefix(c.body[at:], s.lead) {
			return false
		}
		at += len(s.lead)
		n := bytes.IndexByte(c.body[at:], '<')
		if n < 0 {
			return false
		}
		text := c.body[at : at+n : at+n]
		at += n
		if bytes.IndexByte(text, '&') >= 0 {
			if s.field == numFields {
				return false
			}
			var ok bool
			if text, ok = c.unquoted(s.field, text); !ok {
				return false
			}
		}
		if s.field < numFields {
			r[s.field] = text
		}
	}
	if !bytes.HasPrefix(c.body[at:], f.end) {
		return false
	}
	c.at, c.elements = at+len(f.end), c.elements+f.elements
	return true
}

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
