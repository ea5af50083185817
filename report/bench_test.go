package report_test

import (
	"context"
	"io"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// allColumns are the fixed columns of All and every optional field.
var allColumns = []stocktake.Field{
	stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker,
	stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass,
	stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldTransitionTime, stocktake.FieldObjectACL,
	stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
	stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp,
}

// tenColumns are Bucket, Key and the ten optional fields that OSS had first.
var tenColumns = []stocktake.Field{
	stocktake.FieldBucket, stocktake.FieldKey,
	stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate, stocktake.FieldETag,
	stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL,
	stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
}

// uniform are n records of the data lake of membucket.
func uniform(tb testing.TB, n int64) (records []stocktake.Record) {
	snap, err := membucket.Uniform(n).Snapshot(tb.Context(), "lake")
	if err != nil {
		tb.Fatal(err)
	}
	err = snap.Scan(tb.Context(), engine.Segment{}, false, func(batch []stocktake.Record) error {
		for _, r := range batch {
			r.Key = append([]byte(nil), r.Key...)
			records = append(records, r)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return records
}

func BenchmarkAppendRow(b *testing.B) {
	enc, err := report.NewEncoder("lake", tenColumns)
	if err != nil {
		b.Fatal(err)
	}
	records := uniform(b, 10_000)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for i := range records {
			buf = enc.AppendRow(buf, &records[i])
		}
	}
	rows := float64(len(records)) * float64(b.N)
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(len(buf))/float64(len(records)), "bytes/row")
}

func BenchmarkGzip(b *testing.B) {
	gz, err := report.NewGzip("lake", tenColumns)
	if err != nil {
		b.Fatal(err)
	}
	records := uniform(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		gz.Reset(io.Discard)
		if _, err := gz.Encode(records); err != nil {
			b.Fatal(err)
		}
		if err := gz.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(records))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkVerify(b *testing.B) {
	const n = 200_000
	store := membucket.New(nil, "reports")
	key := publish(b, membucket.Uniform(n), store.Bucket("reports"), engine.Job{Bucket: "lake"})
	b.ReportAllocs()
	for b.Loop() {
		v, err := report.Verify(context.Background(), store.Bucket("reports"), key, report.VerifyOptions{})
		if err != nil || !v.OK {
			b.Fatal(v, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// publish runs job, with defaults for what it leaves out, and returns the key
// of the manifest.
func publish(tb testing.TB, src engine.Source, dst engine.Destination, job engine.Job, options ...engine.Options) string {
	tb.Helper()
	job.Run, job.Attempt = "run", 1
	cfg := &job.Configuration
	cfg.ID, cfg.Destination.Bucket, cfg.Destination.Format = "all", "reports", "CSV"
	if cfg.OptionalFields == nil {
		cfg.OptionalFields = tenColumns[2:]
	}
	var opts engine.Options
	if len(options) > 0 {
		opts = options[0]
	}
	result, err := engine.Run(tb.Context(), src, dst, job, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return result.Manifest
}
