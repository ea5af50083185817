// Package terminal prints the output of commands. Strangers choose keys, ids, reasons and errors,
// and a terminal executes control characters, so all output of commands goes through this package.
package terminal

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/stocktake/stocktake/internal/human"
)

// Printf prints for people: fmt.Fprintf with every text in args made printable. An
// error may have several lines; those after the first are indented, so that none
// looks like a line of this program.
func Printf(w io.Writer, format string, args ...any) (int, error) {
	for i, a := range args {
		args[i] = shown(a)
	}
	return fmt.Fprintf(w, format, args...)
}

// Println prints values as Printf does, with spaces between them.
func Println(w io.Writer, args ...any) (int, error) {
	for i, a := range args {
		args[i] = shown(a)
	}
	return fmt.Fprintln(w, args...)
}

// shown returns the printable form of a value.
func shown(v any) any {
	switch v := v.(type) {
	case nil:
		return v
	case error:
		return shownText{v.Error(), strings.ReplaceAll(human.PrintableLines(v.Error()), "\n", "\n  ")}
	case fmt.Stringer:
		if reflect.TypeOf(v).Kind() == reflect.Struct {
			return v // a time: untrusted text never has such a type
		}
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		text := r.String()
		if s, ok := v.(fmt.Stringer); ok {
			text = s.String()
		}
		return shownText{text, human.Printable(text)}
	}
	return v
}

// A shownText prints as text, which is printable. Under %q it prints raw in quotes,
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
