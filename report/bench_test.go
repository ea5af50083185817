package report_test

import (
	"io"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// tenColumns are Bucket, Key and the ten optional fields that OSS had first.
var tenColumns = []stocktake.Field{
	stocktake.FieldBucket, stocktake.FieldKey,
	stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate, stocktake.FieldETag,
	stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL,
	stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
}

func BenchmarkAppendRow(b *testing.B) {
	enc, err := report.NewEncoder("lake", tenColumns)
	if err != nil {
		b.Fatal(err)
	}
	records := membucket.Records(10_000)
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
	records := membucket.Records(100_000)
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
	dst := membucket.New(nil, "reports").Bucket("reports")
	write(b, dst, newGzip(b, tenColumns), report.Limits{Rows: n / 4}, tenColumns, membucket.Records(n))
	b.ReportAllocs()
	for b.Loop() {
		v, err := report.Verify(b.Context(), dst, directory+report.ManifestName, report.VerifyOptions{})
		if err != nil || !v.OK {
			b.Fatal(v, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
