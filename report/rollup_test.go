package report_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// The totals of the rows equal those of the scan, in every format.
func TestAddUpIsTheRollup(t *testing.T) {
	for _, f := range report.Formats() {
		t.Run(f.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				records := membucket.RandomRecords(t, 20, rapid.Bool().Draw(t, "versions"))
				dst := membucket.New(nil, "reports").Bucket("reports")
				rep := writeAs(t, f, dst, report.Limits{Rows: 7}, allColumns, records)
				want, err := rep.ReadRollup(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got, err := rep.AddUp(t.Context(), report.AddUpOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("added up (-scan +rows):\n%s", diff)
				}
			})
		})
	}
}

// Rows in any order, as in reports of OSS, have the same totals.
func TestAddUpOfUnsortedRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := membucket.RandomRecords(t, 20, false)
		dst := membucket.New(nil, "reports").Bucket("reports")
		want, err := write(t, dst, report.Limits{}, allColumns, records).AddUp(t.Context(), report.AddUpOptions{})
		if err != nil {
			t.Fatal(err)
		}
		dst = membucket.New(nil, "reports").Bucket("reports")
		shuffled := write(t, dst, report.Limits{Rows: 7}, allColumns, rapid.Permutation(records).Draw(t, "shuffled"))
		got, err := shuffled.AddUp(t.Context(), report.AddUpOptions{})
		if err != nil {
			t.Fatal(err)
		}
		// Any of the objects with the same date may be the oldest.
		want.Oldest, want.Newest, got.Oldest, got.Newest = nil, nil, nil, nil
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("added up (-sorted +shuffled):\n%s", diff)
		}
	})
}

func TestReadRollupErrors(t *testing.T) {
	dst := membucket.New(nil, "reports").Bucket("reports")
	rep := write(t, dst, report.Limits{}, allColumns, membucket.UniformRecords(10))
	good := body(t, dst, directory+report.RollupName)
	for name, raw := range map[string][]byte{"cut off": good[:len(good)-1], "another byte": append(append([]byte(nil), good[:9]...), append([]byte("9"), good[10:]...)...), "empty": {}} {
		dst.Write(directory+report.RollupName, raw)
		if _, err := rep.ReadRollup(t.Context()); !errors.Is(err, report.ErrMalformed) {
			t.Errorf("%s: %v, want %v", name, err, report.ErrMalformed)
		}
	}
	if err := dst.Remove(t.Context(), directory+report.RollupName); err != nil {
		t.Fatal(err)
	}
	if _, err := rep.ReadRollup(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	rep.Summary.Rollup = nil
	if _, err := rep.ReadRollup(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none in the summary: %v", err)
	}
}

func TestAddUpTellsItsProgress(t *testing.T) {
	const n = 200_000
	var records []stocktake.Record
	for i := range n {
		records = append(records, stocktake.Record{Key: fmt.Appendf(nil, "%06d/x", i), Size: 1})
	}
	dst := membucket.New(nil, "reports").Bucket("reports")
	columns := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize}
	told := int64(0)
	sums, err := write(t, dst, report.Limits{}, columns, records).AddUp(t.Context(), report.AddUpOptions{Depth: 1, Progress: func(rows int64) {
		if rows <= told {
			t.Errorf("%d rows after %d", rows, told)
		}
		told = rows
	}})
	if err != nil {
		t.Fatal(err)
	}
	if told < n/2 || sums.Rows != n || sums.Prefixes[0].Folded.Prefixes+int64(len(sums.Prefixes)-1) != n {
		t.Errorf("told of %d rows; %d rows, %d prefixes and %d folded", told, sums.Rows, len(sums.Prefixes)-1, sums.Prefixes[0].Folded.Prefixes)
	}
}
