package logs

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// escaping writes JSON without characters that control a terminal: encoding/json
// and log/slog do not escape DEL, the control characters above ASCII and marks that
// change the direction of text.
type escaping struct{ w io.Writer }

func (e escaping) Write(p []byte) (int, error) {
	if i := bytes.IndexFunc(p, hidden); i < 0 {
		return e.w.Write(p)
	}
	out := make([]byte, 0, len(p)+32)
	for rest := p; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case !hidden(r):
			out = append(out, rest[:n]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		rest = rest[n:]
	}
	if _, err := e.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// hidden reports whether a character of a line is not displayed as it is.
func hidden(r rune) bool {
	if r >= ' ' && r < 0x7F || r == '\n' {
		return false
	}
	return !unicode.IsPrint(r)
}
