package reporttext

import (
	"bufio"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report"
)

// appendTable appends a row of a table with known column widths.
func appendTable(f *Form, dst []byte, row *report.Row) []byte {
	for i, c := range f.columns {
		text := tableCell(cellOf(f.buf, row, c), c)
		dst = appendPadded(dst, text, f.widths[i], c, i == len(f.columns)-1)
	}
	return append(dst, '\n')
}

// tableCell formats a value for a table.
func tableCell(v cell, f stocktake.Field) string {
	text := human.Printable(string(v.text))
	if f == stocktake.FieldKey { // keys are never cut
		return text
	}
	return human.Cut(text)
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

// measured is the number of rows that determine the widths of a table: a report may not fit into
// memory.
const measured = 200

// A Table prints rows as a table while they arrive. The first rows determine the
// widths of the columns.
type Table struct {
	form  *Form
	w     *bufio.Writer
	first []*report.Row // until the widths are known
	ready bool
}

// NewTable returns a table of these columns that is printed to w.
func NewTable(w *bufio.Writer, columns []stocktake.Field) *Table {
	return &Table{form: &Form{columns: columns, widths: make([]int, len(columns)), buf: make([]byte, 0, 64)}, w: w}
}

// Add prints a row, or keeps it until the widths are known.
func (t *Table) Add(row *report.Row) error {
	if t.ready {
		return t.print(row)
	}
	t.first = append(t.first, row.Clone())
	if len(t.first) < measured {
		return nil
	}
	return t.begin()
}

// begin prints the head and the measured rows.
func (t *Table) begin() error {
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

func (t *Table) print(row *report.Row) error {
	_, err := t.w.Write(appendTable(t.form, nil, row))
	return err
}

// End prints the remaining rows.
func (t *Table) End() error {
	if !t.ready && len(t.first) > 0 {
		return t.begin()
	}
	return nil
}
