package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Everything that a command prints goes through this file or through a table of
// print.go: keys, ids, reasons and errors are chosen by strangers, and a terminal
// obeys what it is sent. print_test.go checks that no other code prints.

// sayf prints for people: fmt.Fprintf with every text among args made printable.
// An error may have several lines; those after the first are indented, so that
// none of them looks like a line of ours.
func sayf(w io.Writer, format string, args ...any) (int, error) {
	for i, a := range args {
		args[i] = shown(a)
	}
	return fmt.Fprintf(w, format, args...)
}

// sayln prints values as sayf does, with blanks between them.
func sayln(w io.Writer, args ...any) (int, error) {
	for i, a := range args {
		args[i] = shown(a)
	}
	return fmt.Fprintln(w, args...)
}

// shown returns a value as it is printed.
func shown(v any) any {
	switch v := v.(type) {
	case nil:
		return v
	case error:
		return shownText{v.Error(), strings.ReplaceAll(printableText(v.Error()), "\n", "\n  ")}
	case fmt.Stringer:
		if reflect.TypeOf(v).Kind() == reflect.Struct {
			return v // a time: text of strangers has no such type
		}
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		text := r.String()
		if s, ok := v.(fmt.Stringer); ok {
			text = s.String()
		}
		return shownText{text, printable(text)}
	}
	return v
}

// A shownText prints as text that is printable, and under %q as raw in quotes,
// which is printable, too.
type shownText struct{ raw, text string }

// Format implements [fmt.Formatter].
func (s shownText) Format(f fmt.State, verb rune) {
	text := s.text
	if verb == 'q' {
		text = s.raw
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), text)
}

// sayDocument prints a document as it is, for a file, but without what a terminal
// obeys: escape writes such a character in a form that the document's language
// has for it.
func sayDocument(w io.Writer, doc []byte, escape func(rune) string) error {
	_, err := w.Write(escapeRunes(doc, escape))
	return err
}

func escapeRunes(doc []byte, escape func(rune) string) []byte {
	var out []byte
	from := 0
	for i := 0; i < len(doc); {
		r, n := utf8.DecodeRune(doc[i:])
		if unprintable(r) && r != '\n' && r != '\t' && r != utf8.RuneError {
			out = append(append(out, doc[from:i]...), escape(r)...)
			from = i + n
		}
		i += n
	}
	if out == nil {
		return doc
	}
	return append(out, doc[from:]...)
}

// sayBytes returns a writer of bytes that are passed on as they are, and a function
// to call at their end. A terminal gets text with all control characters escaped:
// \u009b for a character, \xff for a byte that belongs to none.
func sayBytes(w io.Writer) (out io.Writer, flush func() error) {
	if !isTerminal(w) {
		return w, func() error { return nil }
	}
	t := &terminalText{w: w}
	return t, t.flush
}

// A terminalText escapes what a terminal would obey.
type terminalText struct {
	w    io.Writer
	rest []byte // the beginning of a character
}

func (t *terminalText) Write(p []byte) (int, error) {
	return len(p), t.write(append(t.rest, p...), false)
}

func (t *terminalText) flush() error { return t.write(t.rest, true) }

func (t *terminalText) write(p []byte, end bool) error {
	out := make([]byte, 0, len(p)+len(p)/8)
	for len(p) > 0 && (end || utf8.FullRune(p)) {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, p[0])
		case unprintable(r) && r != '\n' && r != '\t':
			out = append(out, inJSON(r)...)
		default:
			out = append(out, p[:n]...)
		}
		p = p[n:]
	}
	t.rest = append([]byte(nil), p...)
	_, err := t.w.Write(out)
	return err
}

// inJSON writes a character in the escaped form of JSON and YAML strings.
func inJSON(r rune) string {
	if a, b := utf16.EncodeRune(r); a != utf8.RuneError {
		return fmt.Sprintf(`\u%04x\u%04x`, a, b)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// inXML writes a character in the escaped form of XML text.
func inXML(r rune) string { return fmt.Sprintf("&#x%X;", r) }

// newJSON returns an encoder whose output a terminal does not obey: the package
// itself leaves DEL and the control characters above ASCII as they are.
func newJSON(w io.Writer) *json.Encoder { return json.NewEncoder(jsonWriter{w}) }

// A jsonWriter writes whole JSON values.
type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(p []byte) (int, error) {
	if err := sayDocument(j.w, p, inJSON); err != nil {
		return 0, err
	}
	return len(p), nil
}
