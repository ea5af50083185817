package report_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// A roll-up has the same totals as adding up in a map.
func TestRollup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := membucket.Bucketful(t, 20, rapid.Bool().Draw(t, "versions"))
		for i := range records {
			records[i].Size %= 50 // so that some are equal
		}
		dst := membucket.New(nil, "reports").Bucket("reports")
		rep := write(t, dst, report.Limits{Rows: 7}, allColumns, records)
		depth, top := rapid.IntRange(1, 3).Draw(t, "depth"), rapid.IntRange(1, 9).Draw(t, "top")
		got, err := rep.Rollup(t.Context(), report.RollupOptions{Depth: depth, Top: top})
		if err != nil {
			t.Fatal(err)
		}

		var all report.Totals
		found := map[string]report.PrefixTotal{}
		for i := range records {
			r := &records[i]
			all.Add(r)
			if r.IsDeleteMarker {
				continue
			}
			segments := strings.SplitAfter(string(r.Key), "/")
			prefix := strings.Join(segments[:min(depth, len(segments)-1)], "")
			p := found[prefix]
			found[prefix] = report.PrefixTotal{Prefix: prefix, Objects: p.Objects + 1, Bytes: p.Bytes + r.Size}
		}
		want := &report.Rollup{Rows: all.Rows, DeleteMarkers: all.Markers, Bytes: all.Bytes, Classes: all.Classes(), Prefixes: []report.PrefixTotal{}}
		for _, p := range found {
			want.Prefixes = append(want.Prefixes, p)
		}
		slices.SortFunc(want.Prefixes, func(a, b report.PrefixTotal) int {
			return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Prefix, b.Prefix))
		})
		for _, p := range want.Prefixes[min(top, len(want.Prefixes)):] {
			want.Others.Objects += p.Objects
			want.Others.Bytes += p.Bytes
		}
		want.Prefixes = want.Prefixes[:min(top, len(want.Prefixes))]
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("roll-up (-want +got):\n%s", diff)
		}
	})
}

// More prefixes than are held at once lose none of the largest.
func TestRollupOfManyPrefixes(t *testing.T) {
	const n = 200_000
	var records []stocktake.Record
	for i := range n {
		size := int64(1)
		if i%20_000 == 7 {
			size = int64(i)
		}
		records = append(records, stocktake.Record{Key: fmt.Appendf(nil, "%06d/x", i), Size: size})
		if i%1000 == 0 { // at the root, between all others
			records = append(records, stocktake.Record{Key: fmt.Appendf(nil, "%06d0", i), Size: 100})
		}
	}
	dst := membucket.New(nil, "reports").Bucket("reports")
	columns := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize}
	rep := write(t, dst, report.Limits{}, columns, records)
	got, err := rep.Rollup(t.Context(), report.RollupOptions{Top: 11})
	if err != nil {
		t.Fatal(err)
	}
	if got.Inexact || len(got.Prefixes) != 11 || got.Rows != int64(len(records)) {
		t.Errorf("%+v", got)
	}
	for i, p := range got.Prefixes[:9] {
		if want := fmt.Sprintf("%06d/", (9-i)*20_000+7); p.Prefix != want || p.Objects != 1 {
			t.Errorf("prefix %d is %+v, want %s", i, p, want)
		}
	}
	if root := got.Prefixes[9]; root != (report.PrefixTotal{Objects: 200, Bytes: 20_000}) {
		t.Errorf("the root has %+v", root)
	}
	if got.Others.Objects != n-10 {
		t.Errorf("others %+v, want %d objects", got.Others, n-10)
	}
}
