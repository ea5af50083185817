package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stocktake/stocktake/internal/human"
)

// WriteDocument prints a document for a file, without terminal control characters: escape writes
// such a character in the escaped form of the document's language.
func WriteDocument(w io.Writer, doc []byte, escape func(rune) string) error {
	_, err := w.Write(escapeRunes(doc, escape))
	return err
}

func escapeRunes(doc []byte, escape func(rune) string) []byte {
	var out []byte
	from := 0
	for i := 0; i < len(doc); {
		r, n := utf8.DecodeRune(doc[i:])
		if human.Unprintable(r) && r != '\n' && r != '\t' && r != utf8.RuneError {
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

// EscapeJSON writes a character in the escaped form of JSON and YAML strings.
func EscapeJSON(r rune) string {
	if a, b := utf16.EncodeRune(r); a != utf8.RuneError {
		return fmt.Sprintf(`\u%04x\u%04x`, a, b)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// EscapeXML writes a character in the escaped form of XML text.
func EscapeXML(r rune) string { return fmt.Sprintf("&#x%X;", r) }

// NewEncoder returns an encoder whose output has no terminal control characters: encoding/json
// leaves DEL and the control characters above ASCII unescaped.
func NewEncoder(w io.Writer) *json.Encoder { return json.NewEncoder(jsonWriter{w}) }

// A jsonWriter writes whole JSON values.
type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(p []byte) (int, error) {
	if err := WriteDocument(j.w, p, EscapeJSON); err != nil {
		return 0, err
	}
	return len(p), nil
}

// PrintJSON prints a value as indented JSON.
func PrintJSON(w io.Writer, v any) error {
	enc := NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// PrintLines prints values as JSON, one a line.
func PrintLines[T any](w io.Writer, values []T) error {
	enc := NewEncoder(w)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}
