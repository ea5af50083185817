package report_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

const (
	s3Names  = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, ReplicationStatus, EncryptionStatus, ObjectLockRetainUntilDate, ChecksumAlgorithm"
	s3Schema = "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);  optional binary version_id (STRING);  optional boolean is_latest;  optional boolean is_delete_marker;  optional int64 size;  optional int64 last_modified_date (TIMESTAMP(MILLIS,true));  optional binary e_tag (STRING);  optional binary storage_class (STRING);  optional boolean is_multipart_uploaded;  optional binary replication_status (STRING);  optional binary encryption_status (STRING);  optional int64 object_lock_retain_until_date (TIMESTAMP(MILLIS,true));  optional binary checksum_algorithm (STRING);}"

	// s3Rows are the rows of the fixtures as S3 Inventory writes them in CSV: every
	// column is quoted, and times have colons and milliseconds.
	s3Rows = `"example-source-bucket","photos%2F2024%2Fa+b%2B0.jpg","v00","true","false","0","2024-01-02T03:04:05.678Z","d41d8cd98f00b204e9800998ecf84270","STANDARD","false","","SSE-S3","",""
"example-source-bucket","photos%2F2024%2Fa+b%2B1.jpg","v01","true","false","1048576","2024-01-02T03:04:06.678Z","d41d8cd98f00b204e9800998ecf84271","STANDARD_IA","false","","NOT-SSE","2030-01-01T00:00:00.000Z","CRC64NVME"
"example-source-bucket","photos%2F2024%2Fa+b%2B2.jpg","v02","false","false","2097152","2024-01-02T03:04:07.678Z","d41d8cd98f00b204e9800998ecf84272","GLACIER","false","","SSE-KMS","",""
"example-source-bucket","photos%2F2024%2Fa+b%2B3.jpg","v03","true","false","3145728","2024-01-02T03:04:08.678Z","d41d8cd98f00b204e9800998ecf84273","DEEP_ARCHIVE","true","","SSE-S3","",""
"example-source-bucket","photos%2F2024%2Fa+b%2B4.jpg","v04","true","true","","2024-01-02T03:04:09.678Z","","","","","","",""
`
)

// s3Records are the records of the rows.
func s3Records() []stocktake.Record {
	record := func(n int64, class stocktake.StorageClass, latest, multipart, encrypted bool) stocktake.Record {
		return stocktake.Record{
			Key: fmt.Appendf(nil, "photos/2024/a b+%d.jpg", n), VersionID: fmt.Appendf(nil, "v%02d", n), IsLatest: latest,
			ETag: stocktake.ETag{Text: fmt.Appendf(nil, "d41d8cd98f00b204e9800998ecf8427%d", n)}, Size: n << 20,
			LastModified: 1704164645 + n, StorageClass: class, Multipart: multipart, Encrypted: encrypted,
		}
	}
	return []stocktake.Record{
		record(0, stocktake.S3Standard, true, false, true), record(1, stocktake.S3StandardIA, true, false, false),
		record(2, stocktake.S3Glacier, false, false, true), record(3, stocktake.S3DeepArchive, true, true, true),
		{Key: []byte("photos/2024/a b+4.jpg"), VersionID: []byte("v04"), IsLatest: true, IsDeleteMarker: true, LastModified: 1704164649},
	}
}

// Reports of S3 Inventory are read and verified: CSV, and Parquet as several
// writers make it. The layout is that of the user guide; the Parquet files were
// made by parquet-go and DuckDB.
func TestReportsOfS3(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(s3Rows))
	z.Close()
	shards := map[string][]byte{"inventory.csv.gz": packed.Bytes()}
	names, err := filepath.Glob("testdata/s3/*.parquet")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if shards[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, shard := range shards {
		t.Run(name, func(t *testing.T) {
			format, schema := "CSV", s3Names
			if strings.HasSuffix(name, ".parquet") {
				format, schema = "Parquet", s3Schema
			}
			const base = "inventory/example-source-bucket/config-ID/"
			dst := membucket.New(nil, "example-inventory").Bucket("example-inventory")
			dst.Write(base+"data/"+name, shard)
			manifest := fmt.Sprintf(`{
  "sourceBucket" : "example-source-bucket",
  "destinationBucket" : "arn:aws:s3:::example-inventory",
  "version" : "2016-11-30",
  "creationTimestamp" : "1704240000000",
  "fileFormat" : %q,
  "fileSchema" : %q,
  "files" : [ { "key" : %q, "size" : %d, "MD5checksum" : "%x" } ]
}`, format, schema, base+"data/"+name, len(shard), md5.Sum(shard))
			key := base + "2024-01-03T00-00Z/manifest.json"
			dst.Write(key, []byte(manifest))
			dst.Write(base+"2024-01-03T00-00Z/manifest.checksum", fmt.Appendf(nil, "%x\n", md5.Sum([]byte(manifest))))

			r, err := report.Open(t.Context(), dst, key)
			if err != nil {
				t.Fatal(err)
			}
			if m := r.Manifest; m.CreationTimestamp != 1704240000 || m.DestinationBucket != "example-inventory" || m.SourceBucket != "example-source-bucket" {
				t.Errorf("manifest %+v", m)
			}
			var got []stocktake.Record
			for row, err := range r.Rows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, row.Clone().Record)
				if n := len(got); n == 2 && !bytes.Equal(row.Values()[13], []byte("CRC64NVME")) {
					t.Errorf("values of an unknown column: %q", row.Values())
				}
			}
			if diff := cmp.Diff(s3Records(), got, cmp.Comparer(bytes.Equal)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			v, err := report.Verify(t.Context(), dst, key, report.VerifyOptions{})
			if err != nil || !v.OK || v.Rows != 5 {
				t.Errorf("verified %+v, %v", v, err)
			}
		})
	}
}

// A damaged Parquet shard is a finding, not an error.
func TestVerifyFindsDamagedParquet(t *testing.T) {
	f, err := report.FormatNamed(stocktake.FormatParquet)
	if err != nil {
		t.Fatal(err)
	}
	dst := membucket.New(nil, "reports").Bucket("reports")
	writeAs(t, f, dst, report.Limits{Rows: 100, PieceRows: 30}, allColumns, membucket.UniformRecords(250))
	verify := func() *report.Verification {
		t.Helper()
		v, err := report.Verify(t.Context(), dst, directory+report.ManifestName, report.VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := verify(); !v.OK || v.Rows != 250 {
		t.Fatalf("a whole report: %+v", v)
	}
	const key = "photos/weekly-1/data/1.parquet"
	whole := body(t, dst, key)
	for name, damaged := range map[string][]byte{
		"one bit":    append(append(bytes.Clone(whole[:500]), whole[500]^1), whole[501:]...),
		"half of it": whole[:len(whole)/2],
		"nothing":    {},
		"more":       append(bytes.Clone(whole), "PAR1"...),
	} {
		dst.Write(key, damaged)
		v := verify()
		if v.OK {
			t.Errorf("%s: not found", name)
		}
		for _, finding := range v.Findings {
			if finding.File != key && !strings.HasSuffix(finding.File, report.SummaryName) {
				t.Errorf("%s: %s", name, finding)
			}
		}
	}
}

// Errors about the files of other programs name the file, the row or the format.
func TestOtherReportsThatCannotBeRead(t *testing.T) {
	const base = "inventory/src/config-ID/"
	const key = base + "2024-01-03T00-00Z/manifest.json"
	made := func(format, schema string, shard []byte) *membucket.Bucket {
		dst := membucket.New(nil, "dst").Bucket("dst")
		dst.Write(base+"data/shard", shard)
		dst.Write(key, fmt.Appendf(nil, `{"sourceBucket":"src","destinationBucket":"arn:aws:s3:::dst","version":"2016-11-30","creationTimestamp":"1704240000000","fileFormat":%q,"fileSchema":%q,"files":[{"key":%q,"size":%d,"MD5checksum":"%x"}]}`,
			format, schema, base+"data/shard", len(shard), md5.Sum(shard)))
		return dst
	}
	t.Run("ORC", func(t *testing.T) {
		_, err := report.Open(t.Context(), made("ORC", "struct<bucket:string,key:string>", []byte("ORC")), key)
		if err == nil || !strings.Contains(err.Error(), `"ORC" is not one of CSV, Parquet`) {
			t.Error(err)
		}
	})
	t.Run("not Parquet", func(t *testing.T) {
		r, err := report.Open(t.Context(), made("Parquet", s3Schema, []byte("not Parquet")), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, err = range r.Rows(t.Context()) {
		}
		if err == nil || !strings.HasPrefix(err.Error(), base+"data/shard: not a Parquet file") {
			t.Error(err)
		}
	})
	t.Run("a negative size", func(t *testing.T) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write([]byte(`"src","a","5"` + "\n" + `"src","b","-5"` + "\n"))
		z.Close()
		v, err := report.Verify(t.Context(), made("CSV", "Bucket, Key, Size", packed.Bytes()), key, report.VerifyOptions{})
		if err != nil || v.OK || len(v.Findings) != 1 || !strings.Contains(v.Findings[0].String(), "row 2: row: the size is negative: -5") {
			t.Errorf("%+v, %v", v, err)
		}
	})
}
