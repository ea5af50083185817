package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/report"
)

type reportFind struct {
	reportPlace
	Key     string   `arg:"" help:"A key, or the start of keys." placeholder:"KEY|PREFIX"`
	Exact   bool     `help:"Find only the key itself, not keys that start with it."`
	Limit   int64    `help:"Show at most this many rows; 0 means all." default:"100"`
	Columns []string `help:"Columns, by their names in the report, in any case; see report show." short:"c"`
	JSON    bool     `help:"Print one JSON object a line."`
}

// Run finds rows by key. It reads the pieces of the report that may have them.
func (c *reportFind) Run(ctx context.Context, con console) (err error) {
	if c.Limit < 0 {
		return usagef("--limit: must be at least 0")
	}
	p, r, err := c.report(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	sel, err := (&selectFlags{Columns: c.Columns}).of(r)
	if err != nil {
		return err
	}
	sel.keys = report.PrefixRange([]byte(c.Key))
	if c.Exact {
		sel.keys = report.ExactRange([]byte(c.Key))
	}
	reporttext.PrintUnread(con.err, r, c.Columns, "left out")
	w := bufio.NewWriter(con.out)
	t := reporttext.NewTable(w, sel.columns)
	print, found := t.Add, 0
	if c.JSON {
		f := reporttext.JSON(sel.columns)
		print = func(row *report.Row) error {
			_, err := w.Write(f.Append(nil, row))
			return err
		}
	}
	more, err := eachRow(ctx, r, &sel, c.Limit, func(row *report.Row) error {
		found++
		return print(row)
	})
	if err = errors.Join(err, t.End(), w.Flush()); err != nil {
		return err
	}
	switch {
	case found == 0:
		return fmt.Errorf("no row of %s has a key that starts with %q", p.Where(r.Key), c.Key)
	case more:
		sayf(con.err, "there are more: --limit 0 shows all\n")
	}
	return nil
}
