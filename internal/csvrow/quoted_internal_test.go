package csvrow

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
)

// fullColumns are those of full reports.
func fullColumns() []stocktake.Field {
	return slices.DeleteFunc(stocktake.Fields(), func(f stocktake.Field) bool { return f.Column().Full == stocktake.Never })
}

// FuzzQuoted compares DecodeQuoted with Cutter and Decode: it returns the same, and
// it decodes the rows of our encoder.
func FuzzQuoted(f *testing.F) {
	columns := slices.Insert(stocktake.Fields(), 2, 0) // with an unknown one
	values := map[stocktake.Field][]string{
		stocktake.FieldBucket: {"photos", "other", `"photos"`},
		stocktake.FieldKey:    {"a%2Fb", "k", strings.Repeat("%e7%8C%ab+-~", 30), "", "%4", "%zz", "a,b", "a!b#c(d", "\x00\xff%00"},
		stocktake.FieldSize:   {"102400", "0", "", "-1", "9223372036854775807", "9223372036854775808", "00000000000000000000001", "1x", "12345678"},
		stocktake.FieldCRC64: {
			"18446744073709551615", "18446744073709551616", "99999999999999999999", "", "0", "1234567812345678", "123456781234567812345678", "12345678\xff",
		},
		stocktake.FieldLastModifiedDate: {"2026-01-05T03-04-05Z", "2026-01-05T03:04:05Z", "2026-01-05T03-04-05.000Z", "2026-02-30T03-04-05Z", "2026-01-05T24-04-05Z", "", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0003-04-05Z"},
		stocktake.FieldETag:             {"D41D8CD98F00B204E9800998ECF8427E", "d41d8cd98f00b204e9800998ecf8427e", "D41D8CD98F00B204E9800998ECF8427E-12", "", "x", `"`},
		stocktake.FieldTaggingCount:     {"10", "65535", "65536", "-1", ""},
		stocktake.FieldStorageClass:     {"IA", "STANDARD", "Standard", "", "none"},
		stocktake.FieldObjectACL:        {"default", "public-read", "", "none"},
		stocktake.FieldRecordType:       {"CREATE", "DELETE", "UPDATE_METADATA", "none"},
		stocktake.FieldSequenceNumber:   {"00000000000000000001", "1", "x"},
		stocktake.FieldRecordTimestamp:  {"2026-01-05T03-04-05-006Z", "2026-01-05T03:04:05.006Z", "x"},
		stocktake.FieldLastAccessDate:   {"null", "2026-01-05T03-04-05Z", ""},
		stocktake.FieldTransitionTime:   {"", "2026-01-05T03-04-05Z"},
		stocktake.FieldObjectType:       {"Normal", "Symlink", "", "none"},
	}
	for n := range 20 {
		var row strings.Builder
		for i, c := range columns {
			v := []string{"true", "false", "null", "", "True"}[n%5]
			if known := values[c]; known != nil {
				v = known[n%len(known)]
			}
			switch {
			case i > 0:
				row.WriteString(`,"` + v + `"`)
			default:
				row.WriteString(v)
			}
		}
		text := row.String() + "\n"
		f.Add([]byte(text))
		f.Add([]byte(strings.Repeat(text, 3)))
		f.Add([]byte(strings.Replace(text, "true", `tr""ue`, 1)))
		f.Add([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
		f.Add([]byte(strings.ReplaceAll(text, `"`, "")))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		in = append(in, bytes.Repeat([]byte{'.'}, quotedSlack)...)
		quick, slow := Decoder{Columns: columns}, Decoder{Columns: columns}
		cutter := NewCutter(bytes.NewReader(in))
		for at := 0; ; {
			size := quick.DecodeQuoted(in[at:])
			if size == 0 {
				return
			}
			text, err := cutter.NextText()
			if err != nil || !bytes.Equal(text, in[at:at+size]) {
				t.Fatalf("the row %q is decoded, the next of the text is %q, %v", in[at:at+size], text, err)
			}
			values, err := cutter.Cut(bytes.Clone(text))
			if err != nil {
				t.Fatalf("%q is decoded, but %v", text, err)
			}
			if c, err := slow.Decode(values); err != nil {
				t.Fatalf("%q is decoded, but column %d: %v", text, c, err)
			}
			if diff := cmp.Diff(slow.Row.Record, quick.Row.Record, emptyIsNil); diff != "" || slow.Row.Change.Permanent != quick.Row.Change.Permanent || !bytes.Equal(slow.Row.Bucket, quick.Row.Bucket) {
				t.Fatalf("%q (-cut and decoded +decoded at once):\n%s", text, diff)
			}
			if diff := cmp.Diff(slow.Row.Values(), quick.Row.Values(), emptyIsNil); diff != "" {
				t.Fatalf("values of %q (-cut +decoded at once):\n%s", text, diff)
			}
			at += size
		}
	})
}

var emptyIsNil = cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })

// All rows of our encoder are decoded, except the last one in the buffer.
func TestQuotedDecodesOurs(t *testing.T) {
	columns := fullColumns()
	enc, err := NewEncoder("photos", columns)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for i := range 100 {
		text = enc.AppendRow(text, &stocktake.Record{
			Key: bytes.Repeat([]byte("a/ü"), 1+3*i), Size: 1 << (i % 63), LastModified: 1_700_000_000 + int64(i)*40_000,
			StorageClass: stocktake.StorageClass(i % stocktake.NumStorageClasses), ETag: stocktake.ETag{Sum: [16]byte{byte(i)}},
			HasCRC64: i%2 == 0, CRC64: 1<<63 + uint64(i), IsLatest: i%3 == 0, TransitionTime: int64(i % 2 * 1_700_000_000),
		})
	}
	d := Decoder{Columns: columns}
	in := append(text, make([]byte, quotedSlack)...)
	rows := 0
	for ; ; rows++ {
		n := d.DecodeQuoted(in)
		if n == 0 {
			break
		}
		in = in[n:]
	}
	if rows != 100 || len(in) != quotedSlack {
		t.Errorf("%d rows were decoded", rows)
	}
	if n := testing.AllocsPerRun(100, func() { d.DecodeQuoted(text) }); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
	if n := d.DecodeQuoted(text[:quotedSlack+10]); n != 0 {
		t.Errorf("a row that is cut off: %d", n)
	}
}
