package terminal

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/stocktake/stocktake/internal/human"
)

// A Table prints columns of text, or a sentence if it has no rows.
type Table struct {
	w    *tabwriter.Writer
	out  io.Writer
	head string
	rows int
}

// NewTable returns a table with these columns.
func NewTable(out io.Writer, columns ...string) *Table {
	return &Table{w: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), out: out, head: strings.Join(columns, "\t")}
}

// Row adds a row with a value for each column.
func (t *Table) Row(values ...any) {
	if t.rows == 0 {
		fmt.Fprintln(t.w, t.head)
	}
	t.rows++
	for i, v := range values {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		fmt.Fprint(t.w, human.Printable(fmt.Sprint(v)))
	}
	fmt.Fprintln(t.w)
}

// Flush prints the table, or ifEmpty if it has no rows.
func (t *Table) Flush(ifEmpty string) error {
	if t.rows == 0 {
		_, err := fmt.Fprintln(t.out, ifEmpty)
		return err
	}
	return t.w.Flush()
}
