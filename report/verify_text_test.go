package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// Faults of a summary are described in words.
func TestVerifySaysWhatIsWrong(t *testing.T) {
	columns := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldStorageClass}
	records := []stocktake.Record{{Key: []byte("a"), Size: 3}, {Key: []byte("b"), Size: 4}}
	for _, tt := range []struct {
		edit func(*stocktake.Summary)
		want string
	}{
		{func(s *stocktake.Summary) { s.Classes[0].Objects++ }, "the classes are Standard: 3 of 7 bytes; the rows add up to Standard: 2 of 7 bytes"},
		{func(s *stocktake.Summary) { s.Classes = nil }, "the classes are none; the rows"},
		{func(s *stocktake.Summary) {
			s.Classes = append(s.Classes, stocktake.ClassTotal{StorageClass: "IA", Objects: 1, Bytes: 2})
		}, "Standard: 2 of 7 bytes, IA: 1 of 2 bytes; the rows"},
		{func(s *stocktake.Summary) { s.Start = s.Start.Add(time.Hour); s.End = s.End.Add(time.Hour) }, "start 2026-01-05T17:00:00Z, the manifest says 2026-01-05T16:00:00Z"},
		{func(s *stocktake.Summary) { s.End = s.Start.Add(-time.Millisecond) }, "end 2026-01-05T15:59:59.999Z is before start 2026-01-05T16:00:00Z"},
		{func(s *stocktake.Summary) { s.Files[0].Key = "x" }, `file 1 is "x", the manifest says "photos/weekly-1/data/0.csv.gz"`},
		{func(s *stocktake.Summary) { s.Files[0].MD5 = "x" }, `file 1 has the MD5 "x", the manifest says "`},
		{func(s *stocktake.Summary) { s.Files[0].Size = 1 }, "file 1 has the size 1, the manifest says "},
	} {
		dst := membucket.New(nil, "reports").Bucket("reports")
		write(t, dst, report.Limits{}, columns, records)
		var s stocktake.Summary
		if err := json.Unmarshal(body(t, dst, directory+report.SummaryName), &s); err != nil {
			t.Fatal(err)
		}
		tt.edit(&s)
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		dst.Write(directory+report.SummaryName, raw)
		if v := verify(t, dst); len(v.Findings) != 1 || !strings.Contains(v.Findings[0].Detail, tt.want) {
			t.Errorf("found %v, want %q", v.Findings, tt.want)
		}
	}
}
