package report_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvgz"
)

// allColumns are the columns of full reports, in the order of the table.
var allColumns = func() (fields []stocktake.Field) {
	for _, f := range stocktake.Fields() {
		if f.Column().Full != stocktake.Never {
			fields = append(fields, f)
		}
	}
	return fields
}()

// compressors are the ways to write CSV. A column that one of them forgets fails
// TestEveryColumn by its name.
var compressors = map[string]func(columns []stocktake.Field) (report.Compressor, error){
	"plain": func(columns []stocktake.Field) (report.Compressor, error) { return report.NewGzip("photos", columns) },
	"csvgz": func(columns []stocktake.Field) (report.Compressor, error) { return csvgz.New("photos", columns) },
}

// everything is a record in which nothing is zero but what excludes the rest.
var everything = stocktake.Record{
	Key: []byte("k"), VersionID: []byte("CAEQ"), ETag: stocktake.ETag{Sum: [16]byte{1, 2, 3}, Parts: 12}, Size: 102400,
	LastModified: 1767582245, TransitionTime: 1767668645, LastAccess: 1767582246, CRC64: 1<<64 - 1, HasCRC64: true,
	TaggingCount: 10, StorageClass: stocktake.ColdArchive, Type: stocktake.Multipart, ACL: stocktake.PublicRead,
	IsLatest: true, Multipart: true, Encrypted: true,
}

func TestEverythingIsSet(t *testing.T) {
	v := reflect.ValueOf(everything)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "IsDeleteMarker" {
			t.Errorf("stocktake.Record has a field %s that the record of this test leaves at zero", name)
		}
	}
}

// Each column of the table is written by each compressor, so that a record with
// a value and one without differ in it; the rows of a delete marker have a value
// where the table says so; and what was written is read back.
func TestEveryColumn(t *testing.T) {
	nothing := stocktake.Record{Key: []byte("j")}
	marker := everything
	marker.IsDeleteMarker = true
	for name, newCompressor := range compressors {
		c, err := newCompressor(allColumns)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var out bytes.Buffer
		c.Reset(&out)
		if _, err := c.Encode([]stocktake.Record{nothing, everything, marker}); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		gz, err := gzip.NewReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(gz)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		without, with, deleted := strings.Split(lines[0], ","), strings.Split(lines[1], ","), strings.Split(lines[2], ",")
		for i, f := range allColumns {
			switch column := f.Column(); {
			case len(with) <= i || len(without) <= i || len(deleted) <= i:
				t.Fatalf("%s does not write column %s", name, f)
			case f != stocktake.FieldBucket && f != stocktake.FieldIsDeleteMarker && with[i] == without[i]:
				t.Errorf("%s does not write column %s: it is %s with a value and without", name, f, with[i])
			case column.Marker == (deleted[i] == `""`):
				t.Errorf("%s writes column %s of a delete marker as %s; the column table says Marker: %v", name, f, deleted[i], column.Marker)
			}
		}
	}

	c, err := report.NewGzip("photos", allColumns)
	if err != nil {
		t.Fatal(err)
	}
	r := write(t, membucket.New(nil, "reports").Bucket("reports"), c, report.Limits{}, allColumns, []stocktake.Record{everything})
	for row, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(everything, row.Record); diff != "" {
			t.Errorf("a record is read back as another (-written +read):\n%s", diff)
		}
	}
}
