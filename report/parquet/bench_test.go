package parquet_test

import (
	"io"
	"slices"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/parquet"
)

// benchColumns are Bucket, Key and the ten optional fields that OSS had first.
var benchColumns = []stocktake.Field{
	stocktake.FieldBucket, stocktake.FieldKey,
	stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate, stocktake.FieldETag,
	stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL,
	stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
}

const benchRows = 1 << 17

func encode(tb testing.TB, e format.Encoder, w io.Writer, records []stocktake.Record) format.Piece {
	e.Reset(w)
	for batch := range slices.Chunk(records, 512) {
		if _, err := e.Encode(batch); err != nil {
			tb.Fatal(err)
		}
	}
	p, err := e.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func BenchmarkEncode(b *testing.B) {
	records := membucket.UniformRecords(benchRows)
	e, err := parquet.New("lake-production", benchColumns)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var p format.Piece
	for b.Loop() {
		p = encode(b, e, io.Discard, records)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
	b.ReportMetric(float64(p.Stored)/benchRows, "B/row")
}
