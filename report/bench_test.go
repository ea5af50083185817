package report_test

import (
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

func BenchmarkVerify(b *testing.B) {
	const n = 200_000
	dst := membucket.New(nil, "reports").Bucket("reports")
	write(b, dst, report.Limits{Rows: n / 4}, tenColumns, membucket.UniformRecords(n))
	b.ReportAllocs()
	for b.Loop() {
		v, err := report.Verify(b.Context(), dst, directory+report.ManifestName, report.VerifyOptions{})
		if err != nil || !v.OK {
			b.Fatal(v, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
