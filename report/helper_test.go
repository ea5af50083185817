package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvgz"
	"github.com/stocktake/stocktake/report/rollup"
)

// tb is what testing.T and rapid.T share.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Context() context.Context
}

const (
	directory = "photos/weekly-1/2026-01-05T16-00Z/"
	start     = 1767628800 // the time in its name
)

func newShardWriter(t tb, f report.Format, columns []stocktake.Field, limits report.Limits) *report.ShardWriter {
	t.Helper()
	w, err := report.NewShardWriter(f, "photos", columns, limits)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// shards writes records to shards, which open opens by number, in batches of batch records.
func shards(t tb, f report.Format, columns []stocktake.Field, limits report.Limits, batch int, records []stocktake.Record, open func(int) io.WriteCloser) (made []report.Shard) {
	t.Helper()
	w := newShardWriter(t, f, columns, limits)
	var out io.WriteCloser
	end := func() {
		shard, err := w.End()
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		made, out = append(made, shard), nil
	}
	for len(records) > 0 {
		if out == nil {
			out = open(len(made))
			if err := w.Begin(out); err != nil {
				t.Fatal(err)
			}
		}
		n, err := w.Write(records[:min(batch, len(records))])
		if err != nil {
			t.Fatal(err)
		}
		records = records[n:]
		if w.Full() {
			end()
		}
	}
	if out != nil {
		end()
	}
	return made
}

// write writes a report of records without the engine and opens it.
func write(t tb, dst *membucket.Bucket, limits report.Limits, columns []stocktake.Field, records []stocktake.Record) *report.Report {
	t.Helper()
	return writeAs(t, csvgz.Format, dst, limits, columns, records)
}

func writeAs(t tb, f report.Format, dst *membucket.Bucket, limits report.Limits, columns []stocktake.Field, records []stocktake.Record) *report.Report {
	t.Helper()
	key := func(n int) string { return fmt.Sprintf("photos/weekly-1/data/%d%s", n, f.Suffix()) }
	s := stocktake.Summary{
		Version: stocktake.SummaryVersion, Bucket: "photos", Configuration: "weekly-1", Run: "run-1", Consistency: stocktake.ConsistencySnapshot,
		Start: time.Unix(start, 0).UTC(), End: time.Unix(start+1, 0).UTC(), Listed: int64(len(records)),
	}
	m := stocktake.Manifest{
		CreationTimestamp: start, DestinationBucket: "reports", FileFormat: f.Name(), FileSchema: f.Schema(columns),
		SourceBucket: "photos", Version: stocktake.ManifestVersion,
	}
	var totals report.Totals
	for i := range records {
		totals.Add(&records[i])
	}
	s.Matched, s.Bytes, s.Classes = totals.Rows, totals.Bytes, totals.Classes()
	for n, shard := range shards(t, f, columns, limits, 3, records, func(n int) io.WriteCloser { return &object{dst: dst, key: key(n)} }) {
		shard.Key = key(n)
		s.Files = append(s.Files, shard.SummaryFile)
		m.Files = append(m.Files, stocktake.ManifestFile{MD5: shard.MD5, Key: shard.Key, Size: shard.Size})
	}
	b := rollup.New(rollup.Options{Start: s.Start, Versions: slices.Contains(columns, stocktake.FieldIsLatest)})
	b.Add(records)
	sums := b.Part()
	sums.Bucket, sums.Configuration, sums.Run = s.Bucket, s.Configuration, s.Run
	sums.Seal()
	totalsJSON := marshal(t, sums)
	s.Rollup = report.DescribeRollup(totalsJSON)
	dst.Write(directory+report.RollupName, totalsJSON)
	raw := m.AppendJSON(nil)
	dst.Write(directory+report.ManifestName, raw)
	dst.Write(directory+report.ChecksumName, []byte(report.Checksum(raw)))
	about, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	dst.Write(directory+report.SummaryName, about)
	r, err := report.Open(t.Context(), dst, directory+report.ManifestName)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// object is stored in a bucket when it is closed.
type object struct {
	bytes.Buffer
	dst *membucket.Bucket
	key string
}

func (o *object) Close() error {
	o.dst.Write(o.key, o.Bytes())
	return nil
}

// body reads an object whole.
func body(t tb, b report.Bucket, key string) []byte {
	t.Helper()
	f, err := b.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func marshal(t tb, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
