package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stocktake/stocktake/report"
)

// showOptions say what showReport shows in addition to the manifest.
type showOptions struct {
	rows   int
	verify bool
}

func timeOf(r *report.Report) time.Time { return r.Time() }

// showReport shows the report whose manifest has the key manifest.
func showReport(ctx context.Context, w io.Writer, p place, manifest string, opts showOptions) error {
	r, err := report.Open(ctx, p.bucket, manifest)
	if err != nil {
		return err
	}
	showManifest(w, r, p.where(r.Key))
	if err := showRows(ctx, w, r, opts.rows); err != nil {
		return err
	}
	if !r.Incremental() { // changes are not objects to be added up
		if err := showTotals(ctx, w, r); err != nil {
			return err
		}
	}
	if !opts.verify {
		return nil
	}
	v, err := report.Verify(ctx, p.bucket, manifest, report.VerifyOptions{})
	if err != nil {
		return err
	}
	sayf(w, "\n== ")
	printVerification(w, v)
	if !v.OK {
		return errReportWrong
	}
	return nil
}

func showManifest(w io.Writer, r *report.Report, where string) {
	m := r.Manifest
	sayf(w, "== Report %s\n", printable(where))
	sayf(w, "   source       %s, as of %s\n", printable(m.SourceBucket), when(timeOf(r)))
	sayf(w, "   columns      %s\n", printable(m.FileSchema))
	if r.Incremental() {
		showWindow(w, r)
	} else if s := r.Summary; s != nil {
		sayf(w, "   scan         %s listed, %s matched, %s; consistency: %s; took %s\n",
			count(s.Listed), count(s.Matched), size(s.Bytes), printable(string(s.Consistency)), s.End.Sub(s.Start).Round(time.Millisecond))
	}
	if r.Summary != nil {
		sayDoubts(w, "   %-12s %s\n", r.Summary)
	}
	const most = 10 // files shown; a report may have thousands
	for i, f := range m.Files {
		if i == most {
			sayf(w, "   and %s more\n", many(int64(len(m.Files)-most), "file"))
			break
		}
		sayf(w, "   file         %s, %s, MD5 %s\n", printable(f.Key), size(f.Size), printable(f.MD5))
	}
}

// showWindow shows which changes an incremental report has.
func showWindow(w io.Writer, r *report.Report) {
	m := &r.Manifest
	sayf(w, "   window       %s to %s\n", when(time.Unix(m.StartTimestamp, 0)), when(time.Unix(m.EndTimestamp, 0)))
	if s := r.Summary; s != nil && s.Window != nil {
		sayf(w, "   changes      %s of %s in the journal, after %d up to %d\n", count(s.Matched), count(s.Listed), s.Window.After.Sequence, s.Window.Until.Sequence)
	}
	for _, g := range m.Gaps {
		sayf(w, "   GAP          %s lost, after %d up to %d: the journal had to drop them\n", many(g.Changes, "change"), g.After, g.Until)
	}
}

func showRows(ctx context.Context, w io.Writer, r *report.Report, n int) error {
	if n == 0 {
		return nil
	}
	sayf(w, "\n== First rows, as they are in the files: keys percent-encoded\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "   %s\n", strings.ReplaceAll(printable(r.Manifest.FileSchema), ", ", "\t"))
	for row, err := range r.Rows(ctx) {
		if err != nil {
			return errors.Join(err, t.Flush())
		}
		values := make([]string, len(row.Values()))
		for i, v := range row.Values() {
			values[i] = cut(printable(string(v)))
		}
		fmt.Fprintf(t, "   %s\n", strings.Join(values, "\t"))
		if n--; n == 0 {
			break
		}
	}
	return t.Flush()
}
