package terminal

import (
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/stocktake/stocktake/internal/human"
)

// Bytes returns a writer that passes bytes on unchanged, and a function to call at the end. A
// terminal gets text with all control characters escaped: \u009b for a character, \xff for a byte
// that is not part of one.
func Bytes(w io.Writer) (out io.Writer, flush func() error) {
	if !Is(w) {
		return w, func() error { return nil }
	}
	t := &terminalText{w: w}
	return t, t.flush
}

// A terminalText escapes terminal control characters.
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
		case human.Unprintable(r) && r != '\n' && r != '\t':
			out = append(out, EscapeJSON(r)...)
		default:
			out = append(out, p[:n]...)
		}
		p = p[n:]
	}
	t.rest = append([]byte(nil), p...)
	_, err := t.w.Write(out)
	return err
}
