// Package reporttext formats reports as text: rows as CSV, JSON or a table, totals,
// differences from another report, and faults.
package reporttext

import (
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

// A Form writes rows in one format. It is not safe for concurrent use.
type Form struct {
	columns []stocktake.Field
	append  func(f *Form, dst []byte, row *report.Row) []byte
	buf     []byte
	safe    bool  // for a terminal: control characters are escaped
	widths  []int // of a table
}

// CSV returns the form of RFC 4180. If safe is true, it escapes control characters,
// for a terminal.
func CSV(columns []stocktake.Field, safe bool) *Form {
	return &Form{columns: columns, append: appendCSV, safe: safe, buf: make([]byte, 0, 64)}
}

// JSON returns the form of one JSON object per line. It omits values that a row
// does not have.
func JSON(columns []stocktake.Field) *Form {
	return &Form{columns: columns, append: appendJSON, buf: make([]byte, 0, 64)}
}

// Append appends a row and its end of line.
func (f *Form) Append(dst []byte, row *report.Row) []byte { return f.append(f, dst, row) }

// AppendHead appends the header line of CSV with the names of the columns.
func (f *Form) AppendHead(dst []byte) []byte {
	for i, c := range f.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.String()...)
	}
	return append(dst, '\n')
}

// appendCSV appends a row in the form of RFC 4180.
func appendCSV(f *Form, dst []byte, row *report.Row) []byte {
	for i, c := range f.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		v := cellOf(f.buf, row, c).text
		if f.safe {
			v = []byte(human.Printable(string(v)))
		}
		dst = appendQuotedCSV(dst, v)
	}
	return append(dst, '\n')
}

func appendQuotedCSV(dst, v []byte) []byte {
	if !slices.ContainsFunc(v, func(c byte) bool { return c == '"' || c == ',' || c == '\n' || c == '\r' }) {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for _, c := range v {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// appendJSON appends a row as an object without the values that the row lacks.
func appendJSON(f *Form, dst []byte, row *report.Row) []byte {
	return append(appendObject(f, dst, row), '\n')
}

func appendObject(f *Form, dst []byte, row *report.Row) []byte {
	dst = append(dst, '{')
	first := true
	for _, c := range f.columns {
		v := cellOf(f.buf, row, c)
		if len(v.text) == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, '"'), jsonName(c)...), '"', ':')
		if v.plain {
			dst = append(dst, v.text...)
			continue
		}
		dst = appendJSONText(dst, v.text)
		if c == stocktake.FieldKey && !utf8.Valid(v.text) { // a JSON string cannot represent it
			dst = append(dst, `,"keyBase64":"`...)
			dst = append(base64.StdEncoding.AppendEncode(dst, v.text), '"')
		}
	}
	return append(dst, '}')
}

// appendJSONText appends a string with control characters escaped.
func appendJSONText(dst, v []byte) []byte {
	plain := true
	for _, c := range v {
		plain = plain && c >= 0x20 && c < 0x7f && c != '"' && c != '\\'
	}
	if plain {
		return append(append(append(dst, '"'), v...), '"')
	}
	dst = append(dst, '"')
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == utf8.RuneError && n == 1:
			dst = append(dst, "\ufffd"...)
		case r == utf8.RuneError || !human.Unprintable(r):
			dst = append(dst, v[:n]...)
		default:
			dst = append(dst, terminal.EscapeJSON(r)...)
		}
		v = v[n:]
	}
	return append(dst, '"')
}
