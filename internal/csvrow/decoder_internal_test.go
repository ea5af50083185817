package csvrow

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// FuzzRow encodes the decoded rows of any text: decoding them again returns the
// same.
func FuzzRow(f *testing.F) {
	const schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, " +
		"EncryptionStatus, TransitionTime, ObjectAcl, TaggingCount, ObjectType, CRC64, LastAccessDate, LastAccessTimestamp"
	const row = `photos,"k","CAEQ","True","false","102400","2026-01-05T03-04-05Z","D41D8CD98F00B204E9800998ECF8427E-12","ColdArchive",` +
		`"TRUE","true","2026-01-06T03:04:05Z","public-read","10","Multipart","18446744073709551615","2026-01-05T03-04-06Z","1767582246"`
	f.Add(row)
	f.Add(strings.Replace(row, `"k"`, `"%e7%8C%ab+a%20%"`, 1))
	f.Add(strings.Replace(row, `"10"`, `"65536"`, 1))
	f.Add(strings.NewReplacer("102400", "-1", "2026", "0000", "CAEQ", `a""b`, "-12", "-012").Replace(row))
	f.Add("photos,k,,,,,,,,,,,,,,,null,null")
	var columns []stocktake.Field
	for name := range strings.SplitSeq(schema, ", ") {
		c, ok := stocktake.ParseColumn(name)
		if !ok {
			f.Fatalf("column %q", name)
		}
		columns = append(columns, c)
	}
	f.Fuzz(func(t *testing.T, in string) {
		first, ok := decodeRow(t, columns, in)
		if !ok || first.IsDeleteMarker {
			return // the row of a delete marker leaves out what it does not have
		}
		enc, err := NewEncoder("photos", columns)
		if err != nil {
			t.Fatal(err)
		}
		out := string(enc.AppendRow(nil, &first.Record))
		second, ok := decodeRow(t, columns, out)
		if !ok {
			t.Fatalf("%q cannot be read, written from %q", out, in)
		}
		if first.LastAccess == 0 || first.LastModified < MinTime || first.LastModified > MaxTime || first.LastAccess < MinTime || first.LastAccess > MaxTime {
			return // one column speaks for two, or cannot say it
		}
		if diff := cmp.Diff(first.Record, second.Record); diff != "" {
			t.Errorf("%q was written as %q (-read +read again):\n%s", in, out, diff)
		}
	})
}

func decodeRow(t *testing.T, columns []stocktake.Field, in string) (*format.Row, bool) {
	rr := NewCutter(strings.NewReader(in))
	values, err := rr.Next()
	if err != nil {
		return nil, false
	}
	d := Decoder{Columns: columns}
	if _, err := d.Decode(values); err != nil {
		return nil, false
	}
	row := d.Row.Clone()
	if _, err := rr.Next(); err != io.EOF {
		return nil, false // more than a row
	}
	return row, true
}
