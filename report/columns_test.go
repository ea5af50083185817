package report_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvgz/csvgztest"
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

// everyFormat returns the table of formats, and the reference.
func everyFormat() []report.Format { return append(report.Formats(), csvgztest.Plain) }

// everything is a record in which every field that can be combined with the others has a value.
var everything = stocktake.Record{
	Key: []byte("k"), VersionID: []byte("CAEQ"), ETag: stocktake.ETag{Sum: [16]byte{1, 2, 3}, Parts: 12}, Size: 102400,
	LastModified: 1767582245, TransitionTime: 1767668645, LastAccess: 1767582246, CRC64: 1<<64 - 1, HasCRC64: true,
	TaggingCount: 10, StorageClass: stocktake.ColdArchive, Type: stocktake.Multipart, ACL: stocktake.PublicRead,
	IsLatest: true, Multipart: true, Encrypted: true,
}

func TestEverythingIsSet(t *testing.T) {
	v := reflect.ValueOf(everything)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "IsDeleteMarker" && name != "Missing" {
			t.Errorf("stocktake.Record has a field %s that the record of this test leaves at zero", name)
		}
	}
}

// Each format writes each column of the table: the rows of a record with a value and of one
// without differ in it, the row of a delete marker has a value where the table says so, and a
// record is read back unchanged. The test fails with the name of a column that a format lacks.
func TestEveryColumn(t *testing.T) {
	nothing := stocktake.Record{Key: []byte("j")}
	marker := everything
	marker.IsDeleteMarker = true
	for _, format := range everyFormat() {
		name := fmt.Sprintf("%T", format)
		for _, f := range allColumns[2:] {
			if _, err := format.NewEncoder("photos", append(allColumns[:2:2], f)); err != nil {
				t.Errorf("%s does not write column %s: %v", name, f, err)
			}
		}
		dst := membucket.New(nil, "reports").Bucket("reports")
		r := writeAs(t, format, dst, report.Limits{}, allColumns, []stocktake.Record{nothing, everything, marker})
		var rows []*report.Row
		for row, err := range r.Rows(t.Context()) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			rows = append(rows, row.Clone())
		}
		if len(rows) != 3 {
			t.Fatalf("%s: %d rows of 3", name, len(rows))
		}
		if diff := cmp.Diff(everything, rows[1].Record); diff != "" {
			t.Errorf("%s: a record is read back as another (-written +read):\n%s", name, diff)
		}
		for i, f := range allColumns {
			without, with, deleted := rows[0].Values()[i], rows[1].Values()[i], rows[2].Values()[i]
			if f != stocktake.FieldBucket && f != stocktake.FieldIsDeleteMarker && bytes.Equal(with, without) {
				t.Errorf("%s does not write column %s: it is %s with a value and without", name, f, with)
			}
			if marker := f.Column().Marker; marker == (len(deleted) == 0) {
				t.Errorf("%s writes column %s of a delete marker as %q; the column table says Marker: %v", name, f, deleted, marker)
			}
		}
	}
}

// Values that a source does not provide are empty in each format, and are read back
// as missing. A delete marker keeps the values that it always has.
func TestMissingValues(t *testing.T) {
	const all = stocktake.MissingEncryption | stocktake.MissingACL | stocktake.MissingTags | stocktake.MissingType
	marker := everything
	marker.IsDeleteMarker, marker.Missing = true, all
	for _, format := range everyFormat() {
		name := fmt.Sprintf("%T", format)
		for _, f := range allColumns {
			m := stocktake.MissingOf(f)
			if m == 0 {
				continue
			}
			without := everything
			without.Missing = m
			if m == stocktake.MissingCRC64 {
				without.HasCRC64, without.CRC64 = false, 0
			}
			dst := membucket.New(nil, "reports").Bucket("reports")
			r := writeAs(t, format, dst, report.Limits{}, allColumns, []stocktake.Record{everything, without, everything, marker})
			n := 0
			for row, err := range r.Rows(t.Context()) {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				n++
				for i, c := range allColumns {
					if empty := len(row.Values()[i]) == 0; n < 4 && empty != (n == 2 && c == f) {
						t.Errorf("%s: row %d without %s has %s %q", name, n, f, c, row.Values()[i])
					} else if n == 4 && empty == c.Column().Marker {
						t.Errorf("%s: a delete marker has %s %q", name, c, row.Values()[i])
					}
				}
				want := stocktake.Missing(0)
				if n == 2 {
					want = m &^ stocktake.MissingCRC64
				}
				if row.Missing != want {
					t.Errorf("%s: row %d without %s misses %b", name, n, f, row.Missing)
				}
			}
			if n != 4 {
				t.Errorf("%s: %d rows", name, n)
			}
		}
	}
}
