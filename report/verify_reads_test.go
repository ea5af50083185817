package report_test

import (
	"slices"
	"testing"

	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// Verify reads each shard once, and the footer of a shard with a footer. To find one key, a
// small part of its shard is read.
func TestShardsAreReadOnce(t *testing.T) {
	for _, f := range report.Formats() {
		t.Run(f.Name(), func(t *testing.T) {
			dst := membucket.New(nil, "reports").Bucket("reports")
			records := membucket.UniformRecords(60_000)
			rep := writeAs(t, f, dst, report.Limits{Rows: 40_000, PieceRows: 10_000}, tenColumns, records)
			shards, size := len(rep.Manifest.Files), int64(0)
			for _, f := range rep.Manifest.Files {
				size += f.Size
			}
			const (
				documents = 1 << 20  // at most, of the manifest and the documents next to it
				footer    = 64 << 10 // what is read at the end of a shard
			)
			counted := &countingBucket{Bucket: dst}
			v, err := report.Verify(t.Context(), counted, rep.Key, report.VerifyOptions{Workers: 1})
			if err != nil || !v.OK {
				t.Fatal(v, err)
			}
			if most := size + int64(shards)*footer + documents; counted.read > most || counted.opened > 2*shards+4 {
				t.Errorf("Verify reads %d bytes in %d requests, the %d shards have %d", counted.read, counted.opened, shards, size)
			}

			*counted = countingBucket{Bucket: dst}
			rep, err = report.Open(t.Context(), counted, rep.Key)
			if err != nil {
				t.Fatal(err)
			}
			counted.read, counted.opened = 0, 0
			key := records[35_000].Key
			rows := 0
			for row, err := range rep.Read(t.Context(), report.Query{Keys: report.KeyRange{From: key, To: append(slices.Clone(key), 0)}}) {
				if err != nil || string(row.Key) != string(key) {
					t.Fatal(row, err)
				}
				rows++
			}
			if rows != 1 || counted.read > size/4+2*footer {
				t.Errorf("%d rows; %d bytes are read, the shards have %d", rows, counted.read, size)
			}
		})
	}
}
