package report_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// shuffled writes a report without a summary whose rows are in random order, as S3 may write
// it.
func shuffled(t *testing.T, f report.Format, records []stocktake.Record) *report.Report {
	t.Helper()
	records = slices.Clone(records)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	r := writeAs(t, f, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 700, PieceRows: 100}, allColumns, records)
	r.Summary = nil
	return r
}

// versioned returns records with several versions each, the newest first.
func versioned(n int64) []stocktake.Record {
	records := membucket.UniformRecords(n)
	for i := range records {
		r := &records[i]
		r.VersionID, r.IsLatest = []byte{'v', byte('9' - i%3)}, i%3 == 0
		r.Key = records[i-i%3].Key
		if r.IsDeleteMarker = i%10 == 0; r.IsDeleteMarker {
			*r = stocktake.Record{Key: r.Key, VersionID: r.VersionID, IsLatest: r.IsLatest, IsDeleteMarker: true, LastModified: r.LastModified}
		}
	}
	return records
}

// Diff and Convert sort rows in any order, however few fit into memory, and leave no files
// behind.
func TestSorting(t *testing.T) {
	records := versioned(3000)
	ordered := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 1000}, allColumns, records)
	changed := slices.Clone(records)
	changed[1501].Size += 7
	changed = slices.Delete(changed, 2000, 2010)
	key := report.KeyRange{From: records[900].Key, To: records[1800].Key}
	for _, f := range report.Formats() {
		for name, bounds := range map[string][2]int{"at once": {1 << 30, 64}, "few runs": {400 << 10, 64}, "many levels": {40 << 10, 3}} {
			t.Run(f.Name()+" "+name, func(t *testing.T) {
				defer report.SetSorting(bounds[0], bounds[1])()
				dir := t.TempDir()
				from := shuffled(t, f, changed)
				got, sum := diff(t, ordered, from, report.DiffOptions{TempDir: dir})
				if len(got) != 11 || sum.Changed != 1 || sum.Removed != 10 || sum.Added != 0 || sum.Same != 2989 {
					t.Errorf("%d changes, %+v", len(got), sum)
				}
				if got, sum := diff(t, from, shuffled(t, f, changed), report.DiffOptions{TempDir: dir, Keys: key}); len(got) > 0 || sum.Same != 900 {
					t.Errorf("%v, %+v", got, sum)
				}
				to := newTarget()
				manifest, err := report.Convert(t.Context(), from, to, report.ConvertOptions{TempDir: dir})
				if err != nil {
					t.Fatal(err)
				}
				v, err := report.Verify(t.Context(), to, manifest, report.VerifyOptions{})
				if err != nil || !v.OK || v.Rows != int64(len(changed)) {
					t.Errorf("%+v, %v", v, err)
				}
				made, err := report.Open(t.Context(), to, manifest)
				if err != nil {
					t.Fatal(err)
				}
				var rows []stocktake.Record
				for row, err := range made.Rows(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					rows = append(rows, row.Clone().Record)
				}
				byVersion := func(a, b stocktake.Record) int {
					return bytes.Compare(slices.Concat(a.Key, a.VersionID), slices.Concat(b.Key, b.VersionID))
				}
				slices.SortFunc(rows, byVersion)
				want := slices.SortedFunc(slices.Values(changed), byVersion)
				if diff := cmp.Diff(want, rows, cmp.Comparer(bytes.Equal)); diff != "" {
					t.Errorf("rows (-want +got):\n%.2000s", diff)
				}
				if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
					t.Errorf("%v is left, %v", left, err)
				}
			})
		}
	}
}

func TestSortingFails(t *testing.T) {
	from := shuffled(t, report.Formats()[0], versioned(300))
	none := func(*report.Change) error { return nil }
	opts := report.DiffOptions{TempDir: t.TempDir() + "/missing"}
	if _, err := report.Diff(t.Context(), from, from, opts, none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a folder: %v", err)
	}
	// A damaged row after some sorted runs.
	defer report.SetSorting(20<<10, 3)()
	dst := membucket.New(nil, "reports").Bucket("reports")
	bad := write(t, dst, report.Limits{Rows: 200}, allColumns, versioned(300))
	bad.Summary = nil
	key := bad.Manifest.Files[1].Key
	dst.Write(key, body(t, dst, key)[:100])
	opts.TempDir = t.TempDir()
	to := newTarget()
	if _, err := report.Convert(t.Context(), bad, to, report.ConvertOptions{TempDir: opts.TempDir}); err == nil || len(keysOf(t, to)) > 0 {
		t.Errorf("a shard that breaks off: %v, %q", err, keysOf(t, to))
	}
	if left, err := os.ReadDir(opts.TempDir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
