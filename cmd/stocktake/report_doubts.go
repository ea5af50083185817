package main

import (
	"io"
	"strings"

	"github.com/stocktake/stocktake"
)

// sayDoubts prints the limits of a report that a reader may not expect. line is the
// form of a line: a word, then text.
func sayDoubts(w io.Writer, line string, s *stocktake.Summary) {
	if len(s.Unavailable) > 0 {
		sayf(w, line, "empty", printable(strings.Join(s.Unavailable, ", "))+": the store cannot tell")
	}
	if s.Incomplete > 0 {
		sayf(w, line, "lacking", many(s.Incomplete, "row")+" without a value of other columns, as of objects that were deleted meanwhile")
	}
	if s.SuspectKeys > 0 {
		sayf(w, line, "suspect", many(s.SuspectKeys, "row")+" with U+FFFD in the key, which stores list in place of characters that XML cannot express")
	}
}

// fieldList joins the names of columns.
func fieldList(fields []stocktake.Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.String()
	}
	return strings.Join(names, ", ")
}
