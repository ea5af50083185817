package main

import (
	"bufio"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

// A cell is the value of a column in a row, as text.
type cell struct {
	text  []byte // valid until the next row; empty: the row has no value
	plain bool   // a number or a boolean
}

// cellOf returns the value of a column. Times are RFC 3339; buf is reused.
func cellOf(buf []byte, row *report.Row, f stocktake.Field) cell {
	buf = buf[:0]
	if row.IsDeleteMarker && !f.Column().Marker {
		return cell{}
	}
	if c, ok := changeCell(buf, &row.Change, f); ok || row.Change.Permanent && f != stocktake.FieldBucket && f != stocktake.FieldKey && f != stocktake.FieldVersionID {
		return c
	}
	switch f {
	case stocktake.FieldBucket:
		return cell{text: row.Bucket}
	case stocktake.FieldKey:
		return cell{text: row.Key}
	case stocktake.FieldVersionID:
		return cell{text: row.VersionID}
	case stocktake.FieldIsLatest:
		return cell{strconv.AppendBool(buf, row.IsLatest), true}
	case stocktake.FieldIsDeleteMarker:
		return cell{strconv.AppendBool(buf, row.IsDeleteMarker), true}
	case stocktake.FieldSize:
		return cell{strconv.AppendInt(buf, row.Size, 10), true}
	case stocktake.FieldLastModifiedDate:
		return cell{text: appendTime(buf, row.LastModified)}
	case stocktake.FieldETag:
		return cell{text: row.ETag.AppendText(buf)}
	case stocktake.FieldStorageClass:
		return cell{text: append(buf, row.StorageClass.String()...)}
	case stocktake.FieldIsMultipartUploaded:
		return cell{strconv.AppendBool(buf, row.Multipart), true}
	case stocktake.FieldEncryptionStatus:
		return cell{strconv.AppendBool(buf, row.Encrypted), true}
	case stocktake.FieldTransitionTime:
		return cell{text: appendTime(buf, row.TransitionTime)}
	case stocktake.FieldObjectACL:
		return cell{text: append(buf, row.ACL.String()...)}
	case stocktake.FieldTaggingCount:
		return cell{strconv.AppendUint(buf, uint64(row.TaggingCount), 10), true}
	case stocktake.FieldObjectType:
		return cell{text: append(buf, row.Type.String()...)}
	case stocktake.FieldCRC64:
		if row.HasCRC64 { // as text: JSON's numbers have 53 bits in many readers
			return cell{text: strconv.AppendUint(buf, row.CRC64, 10)}
		}
	case stocktake.FieldLastAccessDate:
		return cell{text: appendTime(buf, row.LastAccess)}
	case stocktake.FieldLastAccessTimestamp:
		if row.LastAccess != 0 {
			return cell{strconv.AppendInt(buf, row.LastAccess, 10), true}
		}
	}
	return cell{}
}

// changeCell returns the value of a column that only reports of changes have.
func changeCell(buf []byte, c *stocktake.Change, f stocktake.Field) (v cell, ok bool) {
	switch f {
	case stocktake.FieldSequenceNumber: // as text: JSON's numbers have 53 bits in many readers
		return cell{text: stocktake.AppendSequence(buf, c.Sequence)}, true
	case stocktake.FieldRecordType:
		return cell{text: append(buf, c.RecordType.String()...)}, true
	case stocktake.FieldRecordTimestamp:
		return cell{text: time.UnixMilli(c.Time).UTC().AppendFormat(buf, "2006-01-02T15:04:05.000Z07:00")}, true
	case stocktake.FieldRequester:
		return cell{text: c.Requester}, true
	case stocktake.FieldRequestID:
		return cell{text: c.RequestID}, true
	case stocktake.FieldSourceIP:
		return cell{text: c.SourceIP}, true
	}
	return cell{}, false
}

// appendTime appends a time in Unix seconds; 0 is none.
func appendTime(buf []byte, t int64) []byte {
	if t == 0 {
		return nil
	}
	return time.Unix(t, 0).UTC().AppendFormat(buf, time.RFC3339)
}

// jsonName is the name of a column in JSON: "ObjectAcl" is "objectAcl".
func jsonName(f stocktake.Field) string {
	name := f.String()
	return strings.ToLower(name[:1]) + name[1:]
}

// A rowForm writes rows in one form. It is not safe for concurrent use.
type rowForm struct {
	columns []stocktake.Field
	append  func(f *rowForm, dst []byte, row *report.Row) []byte
	buf     []byte
	safe    bool  // for a terminal: control characters are escaped
	widths  []int // of a table
}

// appendCSV appends a row in the form of RFC 4180.
func appendCSV(f *rowForm, dst []byte, row *report.Row) []byte {
	for i, c := range f.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		v := cellOf(f.buf, row, c).text
		if f.safe {
			v = []byte(printable(string(v)))
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

// appendJSON appends a row as an object. A value that the row does not have is
// left out.
func appendJSON(f *rowForm, dst []byte, row *report.Row) []byte {
	return append(appendObject(f, dst, row), '\n')
}

func appendObject(f *rowForm, dst []byte, row *report.Row) []byte {
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
		if c == stocktake.FieldKey && !utf8.Valid(v.text) { // the text cannot hold it
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
		case r == utf8.RuneError || !unprintable(r):
			dst = append(dst, v[:n]...)
		default:
			dst = append(dst, terminal.EscapeJSON(r)...)
		}
		v = v[n:]
	}
	return append(dst, '"')
}

// appendTable appends a row of a table whose widths are known.
func appendTable(f *rowForm, dst []byte, row *report.Row) []byte {
	for i, c := range f.columns {
		text := tableCell(cellOf(f.buf, row, c), c)
		dst = appendPadded(dst, text, f.widths[i], c, i == len(f.columns)-1)
	}
	return append(dst, '\n')
}

// tableCell returns a value in the form of a table for people.
func tableCell(v cell, f stocktake.Field) string {
	text := printable(string(v.text))
	if f == stocktake.FieldKey { // the searched text is never cut
		return text
	}
	return cut(text)
}

func appendPadded(dst []byte, text string, width int, f stocktake.Field, last bool) []byte {
	pad := strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
	right := f.Column().Value == stocktake.Count
	if right {
		dst = append(dst, pad...)
	}
	dst = append(dst, text...)
	if last {
		return dst
	}
	if !right {
		dst = append(dst, pad...)
	}
	return append(dst, "  "...)
}

// measured is how many rows the widths of a table are taken from: reports are
// longer than memory.
const measured = 200

// A rowTable prints rows as a table, as they come: the widths of its columns are
// those of the first rows.
type rowTable struct {
	form  *rowForm
	w     *bufio.Writer
	first []*report.Row // until the widths are known
	ready bool
}

func newRowTable(w *bufio.Writer, columns []stocktake.Field) *rowTable {
	return &rowTable{form: &rowForm{columns: columns, widths: make([]int, len(columns)), buf: make([]byte, 0, 64)}, w: w}
}

func (t *rowTable) add(row *report.Row) error {
	if t.ready {
		return t.print(row)
	}
	t.first = append(t.first, row.Clone())
	if len(t.first) < measured {
		return nil
	}
	return t.begin()
}

// begin prints the head and the rows that were measured.
func (t *rowTable) begin() error {
	t.ready = true
	f := t.form
	for i, c := range f.columns {
		f.widths[i] = len(c.String())
		for _, row := range t.first {
			f.widths[i] = max(f.widths[i], utf8.RuneCountInString(tableCell(cellOf(f.buf, row, c), c)))
		}
		f.widths[i] = min(f.widths[i], math.MaxInt16)
	}
	var head []byte
	for i, c := range f.columns {
		head = appendPadded(head, c.String(), f.widths[i], c, i == len(f.columns)-1)
	}
	if _, err := t.w.Write(append(head, '\n')); err != nil {
		return err
	}
	for _, row := range t.first {
		if err := t.print(row); err != nil {
			return err
		}
	}
	t.first = nil
	return nil
}

func (t *rowTable) print(row *report.Row) error {
	_, err := t.w.Write(appendTable(t.form, nil, row))
	return err
}

// end prints what is left.
func (t *rowTable) end() error {
	if !t.ready && len(t.first) > 0 {
		return t.begin()
	}
	return nil
}
