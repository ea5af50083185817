package stocktake_test

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
)

// vector is the example of the specification, whose bytes have the MD5 that it
// states.
var vector = stocktake.Manifest{
	CreationTimestamp: 1767628800, DestinationBucket: "reports", FileFormat: "CSV",
	FileSchema: "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, StorageClass, LastModifiedDate, ETag, IsMultipartUploaded",
	Files: []stocktake.ManifestFile{{
		MD5: "8DCA9B56A06CDD173F14BDE5B3D4A8D7", Key: "inv/photos/weekly-1/data/3f0c5a52-7c0e-4c1b-9d0e-6b7f1c2d3e4f.csv.gz", Size: 187,
	}},
	SourceBucket: "photos", Version: stocktake.ManifestVersion,
}

func TestManifestVector(t *testing.T) {
	got := vector.AppendJSON(nil)
	if sum := fmt.Sprintf("%X", md5.Sum(got)); sum != "8AA18C1800F0F8F91F1C2D17C5440B4B" {
		t.Errorf("MD5 %s of\n%s", sum, got)
	}
	back, err := stocktake.ParseManifest(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(vector, back); diff != "" {
		t.Error(diff)
	}
}

func TestManifestWithoutFiles(t *testing.T) {
	doc := (&stocktake.Manifest{Version: stocktake.ManifestVersion}).AppendJSON(nil)
	if !strings.Contains(string(doc), `"files":[]`) {
		t.Errorf("%s", doc)
	}
	if m, err := stocktake.ParseManifest(doc); err != nil || m.Files == nil {
		t.Errorf("reads back as %#v, %v", m, err)
	}
}

func TestParseManifest(t *testing.T) {
	doc := string(vector.AppendJSON(nil))
	for _, tt := range []struct{ name, old, new string }{
		{"other order and blanks", `"creationTimestamp":"1767628800",`, ""},
		{"unknown members", `"version":`, `"x":[{"files":null},1.5e9,true],"Version":7,"version":`},
		{"unknown members of a file", `"size":`, `"crc":null,"size":`},
		{"escapes", "reports", `re\u0070orts`},
	} {
		t.Run("accepts/"+tt.name, func(t *testing.T) {
			in := strings.Replace(doc, tt.old, tt.new, 1)
			if tt.name == "other order and blanks" {
				in = " " + strings.TrimSuffix(in, "}") + ",\n\"creationTimestamp\" : \"1767628800\"}\n"
			}
			got, err := stocktake.ParseManifest([]byte(in))
			if err != nil {
				t.Fatalf("%s: %v", in, err)
			}
			if diff := cmp.Diff(vector, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, tt := range []struct{ name, old, new string }{
		{"empty", doc, ""},
		{"null", doc, "null"},
		{"array", doc, "[" + doc + "]"},
		{"number", doc, "1"},
		{"cut off", `"version":"2019-09-01"}`, ""},
		{"something behind", doc, doc + "{}"},
		{"garbage behind", doc, doc + "x"},
		{"not UTF-8", "reports", "re\xffports"},
		{"other version", "2019-09-01", "2025-09-30"},
		{"time as a number", `"1767628800"`, "1767628800"},
		{"time with a fraction", `"1767628800"`, `"1767628800.5"`},
		{"negative time", `"1767628800"`, `"-1"`},
		{"empty time", `"1767628800"`, `""`},
		{"no time", `"creationTimestamp":"1767628800",`, ""},
		{"bucket twice", `"fileFormat":`, `"destinationBucket":"x","fileFormat":`},
		{"bucket is null", `"reports"`, "null"},
		{"bucket is an object", `"reports"`, "{}"},
		{"case of a name", `"files"`, `"Files"`},
		{"files is null", doc, `{"creationTimestamp":"1","destinationBucket":"b","fileFormat":"CSV","fileSchema":"Key","files":null,"sourceBucket":"s","version":"2019-09-01"}`},
		{"files is an object", doc, `{"files":{}}`},
		{"a file twice", `"files":[`, `"files":[{"MD5checksum":"0123456789ABCDEF0123456789ABCDEF","key":"a","size":1},{"MD5checksum":"0123456789ABCDEF0123456789ABCDEF","key":"a","size":1},`},
		{"a file is null", doc, `{"files":[null]}`},
		{"size as a string", "187", `"187"`},
		{"size with a fraction", "187", "187.5"},
		{"size beyond int64", "187", "9223372036854775808"},
		{"negative size", "187", "-1"},
		{"size is null", "187", "null"},
		{"no size", `,"size":187`, ""},
		{"MD5 in lower case", "8DCA", "8dca"},
		{"short MD5", "8DCA", ""},
		{"no key", `"key"`, `"name"`},
		{"too deep", "187", strings.Repeat("[", 100_000)},
		{"too deep where ignored", `"version"`, `"x":` + strings.Repeat("[", 100_000) + `,"version"`},
	} {
		t.Run("refuses/"+tt.name, func(t *testing.T) {
			in := strings.Replace(doc, tt.old, tt.new, 1)
			if in == doc {
				t.Fatalf("%q does not stand in the document", tt.old)
			}
			if m, err := stocktake.ParseManifest([]byte(in)); err == nil {
				t.Errorf("no error, but %+v", m)
			}
		})
	}
	if _, err := stocktake.ParseManifest(make([]byte, stocktake.MaxManifestSize+1)); err == nil || !strings.Contains(err.Error(), "longer") {
		t.Errorf("too long: %v", err)
	}
}

// What AppendJSON writes is JSON as the standard library understands it, and
// reads back.
func TestManifestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`["\\\x00-\x1f\x7f<>&/\x{2028}]{0,9}`))
		m := stocktake.Manifest{
			CreationTimestamp: rapid.Int64Min(0).Draw(t, "time"), DestinationBucket: text.Draw(t, "destination"),
			FileFormat: text.Draw(t, "format"), FileSchema: text.Draw(t, "schema"), SourceBucket: text.Draw(t, "source"),
			Version: stocktake.ManifestVersion,
			Files: rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) stocktake.ManifestFile {
				return stocktake.ManifestFile{
					MD5: rapid.StringMatching(`[0-9A-F]{32}`).Draw(t, "md5"), Key: text.Draw(t, "key"), Size: rapid.Int64Min(0).Draw(t, "size"),
				}
			}), 0, 3, func(f stocktake.ManifestFile) string { return f.Key }).Draw(t, "files"),
		}
		doc := m.AppendJSON(nil)
		got, err := stocktake.ParseManifest(doc)
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		if !reflect.DeepEqual(m, got) {
			t.Fatalf("%s is read as %+v", doc, got)
		}
		viaLibrary, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var again stocktake.Manifest
		if err := json.Unmarshal(viaLibrary, &again); err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%s is read as %+v, %v", viaLibrary, again, err)
		}
	})
}

// FuzzParseManifest: whatever is read is written so that it reads the same.
func FuzzParseManifest(f *testing.F) {
	f.Add(vector.AppendJSON(nil))
	f.Add([]byte(`{"files":[{"key":"\ud800\u0000","size":1e3}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := stocktake.ParseManifest(doc)
		if err != nil {
			return
		}
		again, err := stocktake.ParseManifest(m.AppendJSON(nil))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("read %+v\nagain %+v, %v", m, again, err)
		}
	})
}

// TestIncrementalManifestVector compares with the example of the specification,
// section 5.3, and with a manifest that states a gap.
func TestIncrementalManifestVector(t *testing.T) {
	m := stocktake.Manifest{
		StartTimestamp: 1767628800, EndTimestamp: 1767629400, DestinationBucket: "reports", FileFormat: "CSV",
		FileSchema: "Bucket, Key, VersionId, IsDeleteMarker, SequenceNumber, RecordType, RecordTimestamp, Size",
		Files: []stocktake.ManifestFile{{
			MD5: "0CC175B9C0F1B6A831C399E269772661", Size: 412,
			Key: "inv/photos/weekly-1/incremental_inventory/2026-01-05T16-0000Z/data/6f1ed002ab5595859014ebf0951522d9_92eb5ffee6ae2fec3ad71c777531578f_0.csv",
		}},
		SourceBucket: "photos", Version: stocktake.ManifestVersionIncremental,
	}
	const want = `{"startTimestamp":"1767628800","endTimestamp":"1767629400","destinationBucket":"reports","fileFormat":"CSV",` +
		`"fileSchema":"Bucket, Key, VersionId, IsDeleteMarker, SequenceNumber, RecordType, RecordTimestamp, Size",` +
		`"files":[{"MD5checksum":"0CC175B9C0F1B6A831C399E269772661",` +
		`"key":"inv/photos/weekly-1/incremental_inventory/2026-01-05T16-0000Z/data/6f1ed002ab5595859014ebf0951522d9_92eb5ffee6ae2fec3ad71c777531578f_0.csv",` +
		`"size":412}],"sourceBucket":"photos","version":"2025-09-30"}`
	if got := string(m.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	m.Gaps = []stocktake.JournalGap{{After: 7, Until: 12, Changes: 5}}
	const gap = `,"gaps":[{"after":"00000000000000000007","until":"00000000000000000012","changes":5}]}`
	withGap := string(m.AppendJSON(nil))
	if got := strings.TrimPrefix(withGap, strings.TrimSuffix(want, "}")); got != gap {
		t.Errorf("the gap is written as %s", got)
	}
	for _, doc := range []string{want, withGap} {
		parsed, err := stocktake.ParseManifest([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if again := string(parsed.AppendJSON(nil)); again != doc {
			t.Errorf("read and written again: %s", again)
		}
	}
	for name, doc := range map[string]string{
		"no start":             strings.Replace(want, "startTimestamp", "creationTimestamp", 1),
		"no end":               strings.Replace(want, `"endTimestamp":"1767629400",`, "", 1),
		"empty window":         strings.Replace(want, "1767629400", "1767628800", 1),
		"end is a number":      strings.Replace(want, `"1767629400"`, "1767629400", 1),
		"gap backwards":        strings.Replace(withGap, "00000000000000000012", "00000000000000000006", 1),
		"gaps is not an array": strings.Replace(withGap, `"gaps":[{`, `"gaps":{"x":[{`, 1) + "}",
	} {
		if _, err := stocktake.ParseManifest([]byte(doc)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
