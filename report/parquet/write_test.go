package parquet_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/parquet"
)

var update = flag.Bool("update", false, "rewrite golden files")

// allColumns are the columns of full reports.
var allColumns = slices.DeleteFunc(stocktake.Fields(), func(f stocktake.Field) bool { return f.Column().Full == stocktake.Never })

// shard makes a file of records in row groups of piece rows.
func shard(tb testing.TB, columns []stocktake.Field, piece int, records []stocktake.Record) []byte {
	tb.Helper()
	e, err := parquet.New("photos", columns)
	if err != nil {
		tb.Fatal(err)
	}
	j, err := parquet.Format.NewJoiner("photos", columns)
	if err != nil {
		tb.Fatal(err)
	}
	j.Describe(format.Origin{Configuration: "weekly-1", Run: "run-1", Snapshot: time.Unix(1767628800, 5e8)})
	var file bytes.Buffer
	if err := j.Begin(&file); err != nil {
		tb.Fatal(err)
	}
	for part := range slices.Chunk(records, piece) {
		if err := j.Add(encode(tb, e, &file, part)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := j.End(); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

// A file is a shard in memory.
type file []byte

func (f file) Size() int64 { return int64(len(f)) }

func (f file) Open(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	if length < 0 {
		length = f.Size() - offset
	}
	return io.NopCloser(io.NewSectionReader(bytes.NewReader(f), offset, length)), nil
}

// read returns all rows as text; a faulty row is the text of its error.
func read(tb testing.TB, b []byte, columns []stocktake.Field) (rows []string, err error) {
	r := parquet.Format.NewReader(columns)
	defer r.Close()
	if err := r.Open(tb.Context(), file(b), format.Place{}); err != nil {
		return nil, err
	}
	for {
		row, err := r.Next()
		switch e, bad := err.(*format.RowError); {
		case err == io.EOF:
			return rows, nil
		case bad:
			rows = append(rows, e.Error())
		case err != nil:
			return rows, err
		default:
			rows = append(rows, string(bytes.Join(row.Values(), []byte("|"))))
		}
	}
}

// mixed returns records in which columns have values and have none, and keys are
// of any kind.
func mixed() []stocktake.Record {
	records := membucket.UniformRecords(40)
	for i := range records {
		r := &records[i]
		r.VersionID, r.IsLatest = fmt.Appendf(nil, "CAEQ%03d", i), i%3 == 0
		if i%2 == 0 {
			r.LastAccess = 1767582246
		}
		switch i % 8 {
		case 5:
			r.TransitionTime, r.TaggingCount, r.ACL, r.Encrypted = 1767668645, 3, stocktake.PublicRead, true
		case 6:
			*r = stocktake.Record{Key: r.Key, VersionID: r.VersionID, LastModified: r.LastModified, IsDeleteMarker: true}
		case 7:
			r.VersionID, r.HasCRC64, r.ETag.Parts = nil, false, 12
		}
	}
	last := slices.Clone(records[39].Key)
	for _, end := range []string{"猫", "\xff", "\xff\U0010F7FF\xe7\x8c", "\uFFFD"} {
		records = append(records, stocktake.Record{Key: append(slices.Clip(last), end...), ETag: stocktake.ETag{Text: []byte("\xfe")}})
	}
	return records
}

// The golden file is also the one that interop reads with foreign readers.
func TestGolden(t *testing.T) {
	const golden = "testdata/golden.parquet"
	got := shard(t, allColumns, 16, mixed())
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes, unlike the %d of %s; run with -update", len(got), len(want), golden)
	}
}

// The order, names and types of columns are a promise: a line may only be added
// at the end.
func TestColumnsAreAPromise(t *testing.T) {
	want := strings.Split(`message s3.inventory {
required binary bucket (STRING);
required binary key (STRING);
optional binary version_id (STRING);
optional boolean is_latest;
optional boolean is_delete_marker;
optional int64 size;
optional int64 last_modified_date (TIMESTAMP(MILLIS,true));
optional binary e_tag (STRING);
optional binary storage_class (STRING);
optional boolean is_multipart_uploaded;
optional boolean encryption_status;
optional int64 transition_time (TIMESTAMP(MILLIS,true));
optional binary object_acl (STRING);
optional int64 tagging_count;
optional binary object_type (STRING);
optional binary crc64 (STRING);
optional int64 last_access_date (TIMESTAMP(MILLIS,true));
optional int64 last_access_timestamp;`, "\n")
	schema := parquet.Format.Schema(allColumns)
	if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(schema, "}"), "  ")); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

func TestParseSchema(t *testing.T) {
	guide := "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); optional int64 last_modified_date (TIMESTAMP_MILLIS); optional binary replication_status (UTF8); }"
	columns, names, err := parquet.Format.ParseSchema(guide)
	want := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldLastModifiedDate, 0}
	if err != nil || !slices.Equal(columns, want) || !slices.Equal(names, []string{"bucket", "key", "last_modified_date", "replication_status"}) {
		t.Errorf("the user guide's schema is read as %v, %q, %v", columns, names, err)
	}
	for _, bad := range []string{
		"", "Bucket, Key", "message s3.inventory", "message s3.inventory {}", "message x { required binary key", "message { optional int64 size; }",
		"message x { optional group list (LIST) { repeated int64 size; } }", "message x { key; }",
		"message x { " + strings.Repeat("optional int64 size; ", 300) + "}",
	} {
		if columns, _, err := parquet.Format.ParseSchema(bad); err == nil {
			t.Errorf("schema %.80q is read as %v", bad, columns)
		}
	}
}

// The output is UTF-8 whatever the keys are, and the reader returns the same keys.
func TestAnyKeys(t *testing.T) {
	columns := allColumns[:2]
	rapid.Check(t, func(rt *rapid.T) {
		any := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 1, 12), rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "\xff", "\xf4\x8f\x9e\x80", "\xf4\x8f\x9f\xbf", "\xf4\x8f", "\uFFFD", "猫", "\xc3",
		}), 1, 6), func(s []string) []byte { return []byte(strings.Join(s, "")) }))
		keys := rapid.SliceOfN(any, 1, 20).Draw(rt, "keys")
		var records []stocktake.Record
		for _, k := range keys {
			records = append(records, stocktake.Record{Key: k})
		}
		b := shard(t, columns, 7, records)
		r := parquet.Format.NewReader(columns)
		if err := r.Open(t.Context(), file(b), format.Place{}); err != nil {
			rt.Fatal(err)
		}
		for _, want := range keys {
			row, err := r.Next()
			if err != nil || !bytes.Equal(row.Key, want) {
				rt.Fatalf("key %q is read as %q, %v", want, row.Key, err)
			}
		}
		for _, k := range parquet.Stored(keys) {
			if !utf8.Valid(k) {
				rt.Fatalf("key %q is stored as %q", keys, k)
			}
		}
	})
}

// After the first piece, filling pages does not allocate, and finishing them allocates
// little compared with the size of their rows.
func TestEncodeDoesNotAllocate(t *testing.T) {
	records := membucket.UniformRecords(1 << 15)
	e, err := parquet.New("photos", benchColumns)
	if err != nil {
		t.Fatal(err)
	}
	encode(t, e, io.Discard, records)
	e.Reset(io.Discard)
	rest := slices.Collect(slices.Chunk(records[:1<<14-1], 512))
	n := testing.AllocsPerRun(len(rest)-1, func() {
		if _, err := e.Encode(rest[0]); err != nil {
			t.Fatal(err)
		}
		rest = rest[1:]
	})
	if n != 0 {
		t.Errorf("Encode allocates %v times for 512 records", n)
	}
	if n := testing.AllocsPerRun(3, func() { encode(t, e, io.Discard, records) }) / float64(len(records)); n > 0.01 {
		t.Errorf("a piece allocates %v times a record", n)
	}
}
