package report_test

import (
	"fmt"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// The prefixes that have changed most come first, and nothing is lost.
func TestPrefixChanges(t *testing.T) {
	p := report.NewPrefixChanges(1)
	row := func(key string, size int64) *report.Row {
		return &report.Row{Record: stocktake.Record{Key: []byte(key), Size: size}}
	}
	p.Add(&report.Change{Kind: report.Added, New: row("a/x", 10)})
	p.Add(&report.Change{Kind: report.Removed, Old: row("b/x/y", 100)})
	p.Add(&report.Change{Kind: report.Changed, Old: row("a/y", 5), New: row("a/y", 9)})
	p.Add(&report.Change{Kind: report.Added, New: row("plain", 1)})
	top, others := p.Top(2)
	want := []report.PrefixChange{{Prefix: "b/", Removed: 1, Bytes: -100}, {Prefix: "a/", Added: 1, Changed: 1, Bytes: 14}}
	if fmt.Sprint(top) != fmt.Sprint(want) || others != (report.PrefixChange{Added: 1, Bytes: 1}) {
		t.Errorf("%+v, others %+v", top, others)
	}
	many := report.NewPrefixChanges(1)
	const n = 200_000
	for i := range n {
		many.Add(&report.Change{Kind: report.Added, New: row(fmt.Sprintf("%06d/", i), int64(i))})
	}
	top, others = many.Top(1)
	if total := top[0].Added + others.Added; total != n || top[0].Prefix != "199999/" {
		t.Errorf("%+v, %d in all", top, total)
	}
}
