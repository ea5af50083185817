package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stocktake/stocktake/internal/human"
)

// Short names for functions that most verbs use.
var (
	printable   = human.Printable
	count       = human.Count
	many        = human.Many
	size        = human.Size
	unprintable = human.Unprintable
)

func printJSON(w io.Writer, v any) error {
	enc := newJSON(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// jsonFlag is the flag of verbs with one result.
type jsonFlag struct {
	JSON bool `help:"Print JSON."`
}

// say prints a sentence for people, or value as one line of JSON.
func (j jsonFlag) say(con console, value any, format string, args ...any) error {
	if j.JSON {
		return newJSON(con.out).Encode(value)
	}
	_, err := sayf(con.out, format+"\n", args...)
	return err
}

// table prints columns of text, or a sentence if there is no row.
type table struct {
	w    *tabwriter.Writer
	out  io.Writer
	head string
	rows int
}

func newTable(out io.Writer, columns ...string) *table {
	return &table{w: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), out: out, head: strings.Join(columns, "\t")}
}

func (t *table) row(values ...any) {
	if t.rows == 0 {
		fmt.Fprintln(t.w, t.head)
	}
	t.rows++
	for i, v := range values {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		fmt.Fprint(t.w, printable(fmt.Sprint(v)))
	}
	fmt.Fprintln(t.w)
}

func (t *table) flush(ifEmpty string) error {
	if t.rows == 0 {
		_, err := fmt.Fprintln(t.out, ifEmpty)
		return err
	}
	return t.w.Flush()
}

// printableText does what printable does for text of several lines.
func printableText(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// maxCell is how many characters of a value a table for people shows.
const maxCell = 60

// cut leaves the middle out of a value that would break a table: keys have up
// to 1,023 bytes.
func cut(s string) string {
	r := []rune(s)
	if len(r) <= maxCell {
		return s
	}
	const end = maxCell / 3
	return string(r[:maxCell-end-1]) + "…" + string(r[len(r)-end:])
}

// when writes a time for people: UTC to the second, "-" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// ago returns how long before now t was, in its two largest units. A server whose
// clock is ahead of this one's may have a t after now.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	age := max(now.Sub(t), 0)
	day, hour, minute := int(age.Hours())/24, int(age.Hours())%24, int(age.Minutes())%60
	switch {
	case day > 0:
		return fmt.Sprintf("%dd%dh ago", day, hour)
	case hour > 0:
		return fmt.Sprintf("%dh%dm ago", hour, minute)
	case minute > 0:
		return fmt.Sprintf("%dm ago", minute)
	}
	return fmt.Sprintf("%ds ago", int(age.Seconds()))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func printLines[T any](w io.Writer, values []T) error {
	enc := newJSON(w)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}
