package interop_test

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// A parquetRow is a row as parquet-go reads it, with the names of S3 Inventory.
type parquetRow struct {
	Bucket           string  `parquet:"bucket"`
	Key              string  `parquet:"key"`
	Size             *int64  `parquet:"size,optional"`
	LastModifiedDate *int64  `parquet:"last_modified_date,optional,timestamp(millisecond)"`
	ETag             *string `parquet:"e_tag,optional"`
	StorageClass     *string `parquet:"storage_class,optional"`
	Multipart        *bool   `parquet:"is_multipart_uploaded,optional"`
}

// A parquetDictRow is the same with dictionaries.
type parquetDictRow struct {
	Bucket           string  `parquet:"bucket,dict"`
	Key              string  `parquet:"key,dict"`
	Size             *int64  `parquet:"size,optional,dict"`
	LastModifiedDate *int64  `parquet:"last_modified_date,optional,dict,timestamp(millisecond)"`
	ETag             *string `parquet:"e_tag,optional,dict"`
	StorageClass     *string `parquet:"storage_class,optional,dict"`
	Multipart        *bool   `parquet:"is_multipart_uploaded,optional"`
}

// A parquetDeltaRow is the same with the encodings of format version 2; its columns
// have a value in each row.
type parquetDeltaRow struct {
	Bucket           string `parquet:"bucket,dict"`
	Key              string `parquet:"key,delta"`
	Size             int64  `parquet:"size,delta"`
	LastModifiedDate int64  `parquet:"last_modified_date,delta,timestamp(millisecond)"`
	ETag             string `parquet:"e_tag,delta"`
	StorageClass     string `parquet:"storage_class,dict"`
	Multipart        bool   `parquet:"is_multipart_uploaded"`
}

var parquetFields = []stocktake.Field{
	stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldLastModifiedDate,
	stocktake.FieldETag, stocktake.FieldStorageClass, stocktake.FieldIsMultipartUploaded,
}

const parquetSchema = "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);  optional int64 size;  " +
	"optional int64 last_modified_date (TIMESTAMP(MILLIS,true));  optional binary e_tag (STRING);  optional binary storage_class (STRING);  optional boolean is_multipart_uploaded;}"

// parquetRecords are the records of the rows. Some have values that others lack.
func parquetRecords() []stocktake.Record {
	records := membucket.UniformRecords(5000)
	for i := range records {
		r := &records[i]
		*r = stocktake.Record{
			Key: fmt.Appendf(nil, "%05d 猫/%s", i, r.Key), Size: r.Size, LastModified: r.LastModified, ETag: r.ETag, StorageClass: r.StorageClass, Multipart: i%7 == 0,
		}
	}
	return records
}

func rowOf(r *stocktake.Record) parquetRow {
	millis, tag, class := r.LastModified*1000, r.ETag.String(), r.StorageClass.String()
	return parquetRow{"photos", string(r.Key), &r.Size, &millis, &tag, &class, &r.Multipart}
}

// parquet-go reads our Parquet reports.
func TestParquetGoReadsReports(t *testing.T) {
	records := parquetRecords()
	f, err := report.FormatNamed(stocktake.FormatParquet)
	if err != nil {
		t.Fatal(err)
	}
	w, err := report.NewShardWriter(f, "photos", parquetFields, report.Limits{PieceRows: 2000})
	if err != nil {
		t.Fatal(err)
	}
	var shard bytes.Buffer
	if err := w.Begin(&shard); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(records); err != nil || n != len(records) {
		t.Fatal(n, err)
	}
	if _, err := w.End(); err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(shard.Bytes()), int64(shard.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if groups := file.RowGroups(); len(groups) != 3 {
		t.Errorf("%d row groups", len(groups))
	}
	r := parquet.NewGenericReader[parquetRow](file)
	defer r.Close()
	got := make([]parquetRow, len(records)+1)
	n, err := r.Read(got)
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var want []parquetRow
	for i := range records {
		want = append(want, rowOf(&records[i]))
	}
	if diff := gocmp.Diff(want, got[:n]); diff != "" {
		t.Errorf("rows (-want +got):\n%.3000s", diff)
	}
	// The page index locates a key.
	column := file.RowGroups()[1].ColumnChunks()[1]
	index, err := column.ColumnIndex()
	if err != nil {
		t.Fatal(err)
	}
	if first := index.MinValue(0).String(); first != string(records[2000].Key) || !index.IsAscending() {
		t.Errorf("the second row group begins with %q", first)
	}
}

// writeParquet writes rows as T has them.
func writeParquet[T any](t *testing.T, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func converted[T any](rows []parquetRow, convert func(parquetRow) T) (all []T) {
	for _, r := range rows {
		all = append(all, convert(r))
	}
	return all
}

// Reports whose Parquet was made by parquet-go are read, searched and verified,
// whatever the version of its pages, its encodings and its compression.
func TestReportsOfParquetGo(t *testing.T) {
	records := parquetRecords()
	var rows []parquetRow
	for i := range records {
		rows = append(rows, rowOf(&records[i]))
	}
	for name, codec := range map[string]compress.Codec{
		"uncompressed": &parquet.Uncompressed, "snappy": &parquet.Snappy, "gzip": &parquet.Gzip, "zstd": &parquet.Zstd,
	} {
		for version := 1; version <= 2; version++ {
			options := []parquet.WriterOption{parquet.Compression(codec), parquet.DataPageVersion(version), parquet.MaxRowsPerRowGroup(2000), parquet.PageBufferSize(16 << 10)}
			for encoding, shard := range map[string][]byte{
				"plain": writeParquet(t, rows, options...),
				"dict":  writeParquet(t, converted(rows, func(r parquetRow) parquetDictRow { return parquetDictRow(r) }), options...),
				"delta": writeParquet(t, converted(rows, func(r parquetRow) parquetDeltaRow {
					return parquetDeltaRow{r.Bucket, r.Key, *r.Size, *r.LastModifiedDate, *r.ETag, *r.StorageClass, *r.Multipart}
				}), options...),
			} {
				t.Run(fmt.Sprintf("%s, V%d, %s", name, version, encoding), func(t *testing.T) { readsForeign(t, shard, records) })
			}
		}
	}
}

// Reports with Parquet files of DuckDB are read, searched and verified.
func TestReportsOfDuckDB(t *testing.T) {
	node := npmInstall(t, "duckdb")
	records := parquetRecords()
	dir := t.TempDir()
	var text bytes.Buffer
	for i := range records {
		r := &records[i]
		fmt.Fprintf(&text, "photos,\"%s\",%d,%d,%s,%s,%t\n", r.Key, r.Size, r.LastModified, r.ETag.String(), r.StorageClass, r.Multipart)
	}
	if err := os.WriteFile(filepath.Join(dir, "rows.csv"), text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	const load = `CREATE TABLE t AS SELECT bucket, key, size, epoch_ms(modified * 1000) AS last_modified_date, e_tag, storage_class, is_multipart_uploaded
FROM read_csv('rows.csv', header = false, columns = {bucket: VARCHAR, key: VARCHAR, size: BIGINT, modified: BIGINT, e_tag: VARCHAR, storage_class: VARCHAR, is_multipart_uploaded: BOOLEAN});
`
	for _, options := range []string{
		"COMPRESSION snappy", "COMPRESSION zstd", "COMPRESSION gzip", "COMPRESSION uncompressed",
		"COMPRESSION zstd, PARQUET_VERSION v2", "COMPRESSION snappy, ROW_GROUP_SIZE 2048",
	} {
		t.Run(options, func(t *testing.T) {
			duckdb(t, node, dir, load+"COPY (SELECT * FROM t ORDER BY key) TO 'shard.parquet' (FORMAT parquet, "+options+"); SELECT 1")
			shard, err := os.ReadFile(filepath.Join(dir, "shard.parquet"))
			if err != nil {
				t.Fatal(err)
			}
			readsForeign(t, shard, records)
		})
	}
}

// readsForeign compares the rows read from a report with one shard, as S3 writes it,
// with records.
func readsForeign(t *testing.T, shard []byte, records []stocktake.Record) {
	t.Helper()
	const base = "inventory/photos/daily/"
	dst := membucket.New(nil, "inventory").Bucket("inventory")
	dst.Write(base+"data/1.parquet", shard)
	manifest := fmt.Sprintf(`{"sourceBucket": "photos", "destinationBucket": "arn:aws:s3:::inventory", "version": "2016-11-30", "creationTimestamp": "1767628800000",
"fileFormat": "Parquet", "fileSchema": %q, "files": [{"key": %q, "size": %d, "MD5checksum": "%x"}]}`, parquetSchema, base+"data/1.parquet", len(shard), md5.Sum(shard))
	key := base + "2026-01-05T16-00Z/manifest.json"
	dst.Write(key, []byte(manifest))
	r, err := report.Open(t.Context(), dst, key)
	if err != nil {
		t.Fatal(err)
	}
	var got []stocktake.Record
	for row, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row.Clone().Record)
	}
	slices.SortFunc(got, func(a, b stocktake.Record) int { return cmp.Compare(string(a.Key), string(b.Key)) })
	if diff := gocmp.Diff(records, got, gocmp.Comparer(bytes.Equal)); diff != "" {
		t.Fatalf("rows (-want +got):\n%.3000s", diff)
	}
	found := 0
	for row, err := range r.Read(t.Context(), report.Query{Keys: report.ExactRange(records[4321].Key)}) {
		if err != nil || row.Size != records[4321].Size {
			t.Fatal(row, err)
		}
		found++
	}
	if found != 1 {
		t.Errorf("one key is found %d times", found)
	}
	v, err := report.Verify(t.Context(), dst, key, report.VerifyOptions{})
	if err != nil || !v.OK || v.Rows != int64(len(records)) {
		t.Errorf("verified: %+v, %v", v, err)
	}
}
