package csvrow_test

import (
	"bytes"
	"encoding/csv"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/internal/membucket"
)

// allColumns are all columns of full reports.
var allColumns = []stocktake.Field{
	stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker,
	stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass,
	stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldTransitionTime, stocktake.FieldObjectACL,
	stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
	stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp,
}

func newEncoder(tb testing.TB, columns []stocktake.Field) *csvrow.Encoder {
	enc, err := csvrow.NewEncoder("photos", columns)
	if err != nil {
		tb.Fatal(err)
	}
	return enc
}

func TestAppendRow(t *testing.T) {
	const noon = 1767582245 // 2026-01-05T03:04:05Z
	sum := [16]byte{0xD4, 0x1D, 0x8C, 0xD9, 0x8F, 0x00, 0xB2, 0x04, 0xE9, 0x80, 0x09, 0x98, 0xEC, 0xF8, 0x42, 0x7E}
	full := stocktake.Record{
		Key: []byte("k"), VersionID: []byte("CAEQ"), ETag: stocktake.ETag{Sum: sum, Parts: 12}, Size: 102400,
		LastModified: noon, TransitionTime: noon + 86400, LastAccess: noon + 1, CRC64: 1<<64 - 1, HasCRC64: true,
		TaggingCount: 10, StorageClass: stocktake.ColdArchive, Type: stocktake.Multipart, ACL: stocktake.PublicRead,
		IsLatest: true, Multipart: true, Encrypted: true,
	}
	marker := full
	marker.IsDeleteMarker = true
	for _, tt := range []struct {
		name    string
		columns []stocktake.Field
		record  stocktake.Record
		want    string
	}{
		{
			"the example of the guide",
			[]stocktake.Field{
				stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate,
			},
			stocktake.Record{Key: []byte("2026/01/a b.jpg"), Size: 102400, LastModified: noon},
			`photos,"2026%2F01%2Fa%20b.jpg","102400","Standard","2026-01-05T03-04-05Z"`,
		},
		{"no optional column", allColumns[:2], full, `photos,"k"`},
		{
			"all columns", allColumns, full,
			`photos,"k","CAEQ","true","false","102400","2026-01-05T03-04-05Z","D41D8CD98F00B204E9800998ECF8427E-12","ColdArchive",` +
				`"true","true","2026-01-06T03-04-05Z","public-read","10","Multipart","18446744073709551615","2026-01-05T03-04-06Z","1767582246"`,
		},
		{
			"nothing known", allColumns,
			stocktake.Record{Key: []byte("k")},
			`photos,"k","","false","false","0","1970-01-01T00-00-00Z","00000000000000000000000000000000","Standard",` +
				`"false","false","","default","0","Normal","","null","null"`,
		},
		{
			"a delete marker", allColumns, marker,
			`photos,"k","CAEQ","true","true","","2026-01-05T03-04-05Z","","",` +
				`"false","false","","","0","","","2026-01-05T03-04-06Z","1767582246"`,
		},
		{
			"the null version", allColumns[:3],
			stocktake.Record{Key: []byte("k"), VersionID: []byte("null")},
			`photos,"k","null"`,
		},
		{
			"a quote where none should be",
			[]stocktake.Field{
				stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldVersionID, stocktake.FieldETag,
			},
			stocktake.Record{Key: []byte(`"`), VersionID: []byte(`a"b`), ETag: stocktake.ETag{Text: []byte(`""`)}},
			`photos,"%22","a""b",""""""`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := newEncoder(t, tt.columns).AppendRow([]byte("before"), &tt.record)
			if string(got) != "before"+tt.want+"\n" {
				t.Errorf("row\n%s, want\n%s", got, tt.want)
			}
		})
	}
}

func TestNewEncoderRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, bucket string
		columns      []stocktake.Field
	}{
		{"no bucket", "", allColumns},
		{"a bucket that cannot be a bare column", "a,b", allColumns},
		{"no columns", "b", nil},
		{"no key", "b", []stocktake.Field{stocktake.FieldBucket, stocktake.FieldSize}},
		{"a column twice", "b", append(allColumns[:7:7], stocktake.FieldSize)},
		{"a column of incremental reports", "b", append(allColumns[:2:2], stocktake.FieldRequester)},
		{"no column at all", "b", append(allColumns[:2:2], 0)},
	} {
		if _, err := csvrow.NewEncoder(tt.bucket, tt.columns); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}

func TestAppendRowDoesNotAllocate(t *testing.T) {
	enc := newEncoder(t, allColumns)
	records := membucket.UniformRecords(1000)
	buf := make([]byte, 0, 1<<20)
	allocs := testing.AllocsPerRun(10, func() {
		buf = buf[:0]
		for i := range records {
			buf = enc.AppendRow(buf, &records[i])
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d rows", allocs, len(records))
	}
}

// The dates of rows are those of package time, whatever came before.
func TestDates(t *testing.T) {
	enc := newEncoder(t, []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldLastModifiedDate})
	check := func(t interface{ Errorf(string, ...any) }, sec int64) {
		row := enc.AppendRow(nil, &stocktake.Record{LastModified: sec})
		want := time.Unix(min(max(sec, -62167219200), 253402300799), 0).UTC().Format("2006-01-02T15-04-05Z")
		if got := strings.Split(string(row), `"`)[3]; got != want {
			t.Errorf("%d is %s, want %s", sec, got, want)
		}
	}
	for day := int64(-719528); day <= 2932896; day += 7 { // the years 0 to 9999
		check(t, day*86400+86399)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Int64().Draw(t, "seconds")) })
}

// Keys are encoded as net/url decodes them, in a path and in a query, and no row is
// longer than its bound.
func TestRowsAreCSV(t *testing.T) {
	enc := newEncoder(t, allColumns)
	rapid.Check(t, func(t *rapid.T) {
		records := membucket.RandomRecords(t, 5, true)
		var rows []byte
		for i := range records {
			rows = enc.AppendRow(rows, &records[i])
		}
		parsed, err := csv.NewReader(bytes.NewReader(rows)).ReadAll()
		if err != nil || len(parsed) != len(records) {
			t.Fatalf("%d rows, %v, want %d:\n%s", len(parsed), err, len(records), rows)
		}
		for i, row := range parsed {
			path, err1 := url.PathUnescape(row[1])
			query, err2 := url.QueryUnescape(row[1])
			if want := string(records[i].Key); path != want || query != want || err1 != nil || err2 != nil {
				t.Errorf("key %q of %q reads %q and %q", row[1], want, path, query)
			}
		}
	})
}

func BenchmarkAppendRow(b *testing.B) {
	enc := newEncoder(b, allColumns)
	records := membucket.UniformRecords(10_000)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for i := range records {
			buf = enc.AppendRow(buf, &records[i])
		}
	}
	b.ReportMetric(float64(len(records))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(len(buf))/float64(len(records)), "bytes/row")
}
