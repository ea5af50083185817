package report_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// The values of a row are read back unchanged, column by column.
func TestRowsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := membucket.RandomRecords(t, 8, true)
		store := membucket.New(nil, "reports")
		rep := write(t, store.Bucket("reports"), report.Limits{Rows: 5}, allColumns, records)
		var got []stocktake.Record
		for row, err := range rep.Rows(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if string(row.Bucket) != "photos" || len(row.Values()) != len(allColumns) {
				t.Fatalf("bucket %q, %d values", row.Bucket, len(row.Values()))
			}
			got = append(got, row.Clone().Record)
		}
		for i := range records {
			// A row has one empty text for both.
			if r := &records[i]; r.ETag.Text == nil && r.IsDeleteMarker {
				r.ETag.Text = []byte{}
			}
			if records[i].VersionID == nil {
				records[i].VersionID = []byte{}
			}
		}
		if diff := cmp.Diff(records, got); diff != "" && len(records)+len(got) > 0 {
			t.Errorf("rows read back (-want +got):\n%s", diff)
		}
	})
}
