package report_test

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

func TestLocation(t *testing.T) {
	at := time.Unix(start+59, 999).In(time.FixedZone("", 8*3600))
	for _, tt := range []struct{ prefix, base string }{
		{"", "photos/weekly-1/"},
		{"inv", "inv/photos/weekly-1/"},
		{"inv/", "inv//photos/weekly-1/"}, // as OSS does
		{"a/b", "a/b/photos/weekly-1/"},
	} {
		l := report.Location{Prefix: tt.prefix, Bucket: "photos", Configuration: "weekly-1"}
		if l.Base() != tt.base || l.Data() != tt.base+"data/" || l.Directory(at) != tt.base+"2026-01-05T16-00Z/" {
			t.Errorf("%q: base %q, data %q, directory %q", tt.prefix, l.Base(), l.Data(), l.Directory(at))
		}
	}
}

func TestFind(t *testing.T) {
	l := report.Location{Prefix: "inv", Bucket: "photos", Configuration: "weekly-1"}
	dst := membucket.New(nil, "reports").Bucket("reports")
	if _, err := report.Newest(t.Context(), dst, l); !errors.Is(err, report.ErrNoReport) {
		t.Errorf("in an empty bucket: %v", err)
	}
	base := l.Base()
	for _, key := range []string{
		"2026-01-05T16-00Z/manifest.json", "2026-01-05T16-00Z/manifest.checksum", "2026-01-05T16-00Z/manifest.summary",
		"2026-01-06T16-00Z/manifest.json",                                      // no summary: OSS made it
		"2026-01-07T16-00Z/manifest.checksum", "2026-01-07T16-00Z/more/nested", // not complete
		"2026-13-01T00-00Z/manifest.json", "2027/manifest.json", "manifest.json", // not ours
		"data/x.csv.gz", "incremental_inventory/2026-01-08T16-0000Z/manifest.json",
	} {
		dst.Write(base+key, nil)
	}
	dst.Write("inv/photos/weekly-10/2026-01-09T16-00Z/manifest.json", nil) // of another configuration

	got, err := report.Newest(t.Context(), dst, l)
	if want := base + "2026-01-06T16-00Z/manifest.json"; got != want || err != nil {
		t.Errorf("found %q, %v, want %q", got, err, want)
	}
	var dirs []report.Directory
	for d, err := range report.Directories(t.Context(), dst, l) {
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, d)
	}
	day := func(d int) time.Time { return time.Date(2026, 1, d, 16, 0, 0, 0, time.UTC) }
	want := []report.Directory{
		{Key: base + "2026-01-05T16-00Z/", Time: day(5), Manifest: true, Checksum: true, Summary: true},
		{Key: base + "2026-01-06T16-00Z/", Time: day(6), Manifest: true},
		{Key: base + "2026-01-07T16-00Z/", Time: day(7), Checksum: true},
	}
	if !slices.Equal(dirs, want) {
		t.Errorf("directories %+v, want %+v", dirs, want)
	}
}

func TestOpen(t *testing.T) {
	dst := membucket.New(nil, "reports").Bucket("reports")
	if _, err := report.Open(t.Context(), dst, "x/manifest.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing manifest: %v", err)
	}
	key := directory + report.ManifestName
	dst.Write(key, []byte(`{"version":1}`))
	if _, err := report.Open(t.Context(), dst, key); err == nil {
		t.Error("an invalid manifest: no error")
	}
	// The example of the specification, which has no summary, and an older name
	// of a column.
	example := `{"creationTimestamp":"1767628800","destinationBucket":"reports","fileFormat":"CSV","fileSchema":"Bucket, Key, Crc64,Size, New","files":[{"MD5checksum":"8DCA9B56A06CDD173F14BDE5B3D4A8D7","key":"inv/photos/weekly-1/data/3f0c5a52-7c0e-4c1b-9d0e-6b7f1c2d3e4f.csv.gz","size":187}],"sourceBucket":"photos","version":"2019-09-01"}`
	dst.Write(key, []byte(example))
	r, err := report.Open(t.Context(), dst, key)
	if err != nil {
		t.Fatal(err)
	}
	want := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldCRC64, stocktake.FieldSize, 0}
	if r.Summary != nil || !slices.Equal(r.Columns, want) {
		t.Errorf("summary %v, columns %v, want none, %v", r.Summary, r.Columns, want)
	}
	for row, err := range r.Rows(t.Context()) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("row %v, %v of a shard that is missing", row, err)
		}
	}
	for _, bad := range []string{`{`, `{"version":2}`} {
		dst.Write(directory+report.SummaryName, []byte(bad))
		if _, err := report.Open(t.Context(), dst, key); !errors.Is(err, report.ErrMalformed) {
			t.Errorf("summary %s: error %v", bad, err)
		}
	}
}

// The documented MD5 of the example in the specification.
func TestChecksum(t *testing.T) {
	example := `{"creationTimestamp":"1767628800","destinationBucket":"reports","fileFormat":"CSV","fileSchema":"Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, StorageClass, LastModifiedDate, ETag, IsMultipartUploaded","files":[{"MD5checksum":"8DCA9B56A06CDD173F14BDE5B3D4A8D7","key":"inv/photos/weekly-1/data/3f0c5a52-7c0e-4c1b-9d0e-6b7f1c2d3e4f.csv.gz","size":187}],"sourceBucket":"photos","version":"2019-09-01"}`
	if got, want := report.Checksum([]byte(example)), "8AA18C1800F0F8F91F1C2D17C5440B4B"; got != want {
		t.Errorf("checksum %s, want %s", got, want)
	}
}
