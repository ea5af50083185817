package main

import (
	"bufio"
	"context"
	"errors"
	"runtime"

	"github.com/stocktake/stocktake/internal/ordered"
	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

type reportCat struct {
	reportPlace
	selectFlags
	Output   string `help:"Format of the rows: ${enum}." enum:"csv,json,table" default:"csv" short:"o"`
	JSON     bool   `help:"Print one JSON object a line, like --output json."`
	NoHeader bool   `help:"Omit the line with the column names."`
	Limit    int64  `help:"Print at most this many rows; 0 means all." default:"0"`
}

// Run prints rows.
func (c *reportCat) Run(ctx context.Context, con console) (err error) {
	if c.Limit < 0 {
		return usagef("--limit: must be at least 0")
	}
	if c.JSON {
		c.Output = "json"
	}
	p, r, err := c.report(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	sel, err := c.of(r)
	if err != nil {
		return err
	}
	reporttext.PrintUnread(con.err, r, c.Columns, "left out")
	w := bufio.NewWriterSize(con.out, 64<<10)
	if err := c.print(ctx, w, r, &sel, terminal.Is(con.out)); err != nil {
		_ = w.Flush() // what it says of the output, err has said
		return err
	}
	return w.Flush()
}

func (c *reportCat) print(ctx context.Context, w *bufio.Writer, r *report.Report, sel *selection, safe bool) error {
	if c.Output == "table" {
		t := reporttext.NewTable(w, sel.columns)
		if _, err := eachRow(ctx, r, sel, c.Limit, t.Add); err != nil {
			return err
		}
		return t.End()
	}
	newForm := func() *reporttext.Form { return reporttext.JSON(sel.columns) }
	if c.Output == "csv" {
		newForm = func() *reporttext.Form { return reporttext.CSV(sel.columns, safe) }
		if !c.NoHeader {
			if _, err := w.Write(newForm().AppendHead(nil)); err != nil {
				return err
			}
		}
	}
	if c.Limit > 0 {
		f := newForm()
		var buf []byte
		_, err := eachRow(ctx, r, sel, c.Limit, func(row *report.Row) error {
			buf = f.Append(buf[:0], row)
			_, err := w.Write(buf)
			return err
		})
		return err
	}
	// Reading and printing take much processor time: several goroutines share it.
	parts := r.SplitRange(sel.keys, partsOf(r))
	return ordered.Run(ctx, runtime.GOMAXPROCS(0), len(parts), func(ctx context.Context, i int, emit func([]byte) error) error {
		f, part := newForm(), *sel
		part.keys = parts[i]
		var buf []byte
		_, err := eachRow(ctx, r, &part, 0, func(row *report.Row) error {
			if buf = f.Append(buf, row); len(buf) < printAtOnce {
				return nil
			}
			full := buf
			buf = make([]byte, 0, printAtOnce+4096)
			return emit(full)
		})
		return errors.Join(err, emit(buf))
	}, func(text []byte) error {
		_, err := w.Write(text)
		return err
	})
}

// printAtOnce is how many bytes one goroutine hands to another at once.
const printAtOnce = 256 << 10

// partsOf returns into how many ranges a report is cut for several goroutines.
func partsOf(r *report.Report) int {
	if r.Summary == nil {
		return 1
	}
	return int(r.Summary.Matched/(1<<18)) + 1
}

// eachRow calls do for the rows that are selected, at most limit unless that is
// 0, and returns whether there were more.
func eachRow(ctx context.Context, r *report.Report, sel *selection, limit int64, do func(*report.Row) error) (more bool, err error) {
	n := int64(0)
	for row, err := range r.Read(ctx, report.Query{Keys: sel.keys, Columns: sel.needed}) {
		if err != nil {
			return false, err
		}
		if !sel.match.Match(&row.Record) {
			continue
		}
		if limit > 0 && n == limit {
			return true, nil
		}
		n++
		if err := do(row); err != nil {
			return false, err
		}
	}
	return false, nil
}
