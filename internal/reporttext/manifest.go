package reporttext

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

// PrintManifest prints the manifest and the summary of a report. where is the
// address of the report.
func PrintManifest(w io.Writer, r *report.Report, where string) {
	m := r.Manifest
	terminal.Printf(w, "== Report %s\n", human.Printable(where))
	terminal.Printf(w, "   source       %s, as of %s\n", human.Printable(m.SourceBucket), human.When(r.Time()))
	terminal.Printf(w, "   columns      %s\n", human.Printable(m.FileSchema))
	if r.Incremental() {
		showWindow(w, r)
	} else if s := r.Summary; s != nil {
		terminal.Printf(w, "   scan         %s listed, %s matched, %s; consistency: %s; took %s\n",
			human.Count(s.Listed), human.Count(s.Matched), human.Size(s.Bytes), human.Printable(string(s.Consistency)), s.End.Sub(s.Start).Round(time.Millisecond))
	}
	if r.Summary != nil {
		PrintDoubts(w, "   %-12s %s\n", r.Summary)
	}
	const most = 10 // files shown; a report may have thousands
	for i, f := range m.Files {
		if i == most {
			terminal.Printf(w, "   and %s more\n", human.Many(int64(len(m.Files)-most), "file"))
			break
		}
		terminal.Printf(w, "   file         %s, %s, MD5 %s\n", human.Printable(f.Key), human.Size(f.Size), human.Printable(f.MD5))
	}
}

// showWindow prints which changes an incremental report contains.
func showWindow(w io.Writer, r *report.Report) {
	m := &r.Manifest
	terminal.Printf(w, "   window       %s to %s\n", human.When(time.Unix(m.StartTimestamp, 0)), human.When(time.Unix(m.EndTimestamp, 0)))
	if s := r.Summary; s != nil && s.Window != nil {
		terminal.Printf(w, "   changes      %s of %s in the journal, after %d up to %d\n", human.Count(s.Matched), human.Count(s.Listed), s.Window.After.Sequence, s.Window.Until.Sequence)
	}
	for _, g := range m.Gaps {
		terminal.Printf(w, "   GAP          %s lost, after %d up to %d: the journal was full\n", human.Many(g.Changes, "change"), g.After, g.Until)
	}
}

// PrintRows prints the first n rows of a report as they are in its files.
func PrintRows(ctx context.Context, w io.Writer, r *report.Report, n int) error {
	if n == 0 {
		return nil
	}
	terminal.Printf(w, "\n== First rows, as they are in the files: keys percent-encoded\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "   %s\n", strings.ReplaceAll(human.Printable(r.Manifest.FileSchema), ", ", "\t"))
	for row, err := range r.Rows(ctx) {
		if err != nil {
			return errors.Join(err, t.Flush())
		}
		values := make([]string, len(row.Values()))
		for i, v := range row.Values() {
			values[i] = human.Cut(human.Printable(string(v)))
		}
		fmt.Fprintf(t, "   %s\n", strings.Join(values, "\t"))
		if n--; n == 0 {
			break
		}
	}
	return t.Flush()
}

// PrintDoubts prints the limits of a report that a reader may not expect. line is
// the format of a line: a word, then text.
func PrintDoubts(w io.Writer, line string, s *stocktake.Summary) {
	if len(s.Unavailable) > 0 {
		terminal.Printf(w, line, "empty", human.Printable(strings.Join(s.Unavailable, ", "))+": not available from the store")
	}
	if s.Incomplete > 0 {
		terminal.Printf(w, line, "lacking", human.Many(s.Incomplete, "row")+" without values in other columns, such as objects deleted during the scan")
	}
	if s.SuspectKeys > 0 {
		terminal.Printf(w, line, "suspect", human.Many(s.SuspectKeys, "row")+" with U+FFFD in the key, which stores list instead of characters that XML cannot represent")
	}
}

// PrintUnread prints the columns of a report that a command does not read, unless
// the caller chose columns. what says what happens to these columns.
func PrintUnread(w io.Writer, r *report.Report, chosen []string, what string) {
	if names := r.Unread(); len(names) > 0 && len(chosen) == 0 {
		terminal.Printf(w, "%s: %s, which stocktake does not read\n", what, strings.Join(names, ", "))
	}
}

// FieldNames joins the names of columns.
func FieldNames(fields []stocktake.Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.String()
	}
	return strings.Join(names, ", ")
}
