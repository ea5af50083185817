package parquet_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/parquet"
)

// If a file is cut anywhere, or any of its bytes is changed, the reader returns an error or
// all rows: it does not panic, and never ends early without an error.
func TestDamaged(t *testing.T) {
	whole := shard(t, allColumns, 16, mixed())
	want, err := read(t, whole, allColumns)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 7 {
		if rows, err := read(t, whole[:n], allColumns); err == nil {
			t.Fatalf("the first %d bytes of %d: %d rows and no error", n, len(whole), len(rows))
		}
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= byte(1 + i%255)
		if rows, err := read(t, damaged, allColumns); err == nil && len(rows) != len(want) {
			t.Fatalf("byte %d changed: %d rows of %d and no error", i, len(rows), len(want))
		}
	}
}

// footer returns a file with this content before its footer.
func footer(content, meta []byte) []byte {
	b := append([]byte("PAR1"), content...)
	b = append(b, meta...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(meta)))
	return append(b, "PAR1"...)
}

func TestHostile(t *testing.T) {
	key := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey}
	columns := parquet.Meta{Rows: 1 << 40, Columns: []parquet.MetaColumn{{Name: "bucket"}, {Name: "key"}}}
	with := func(change func(*parquet.Meta)) []byte {
		m := columns
		m.Columns = append([]parquet.MetaColumn(nil), columns.Columns...)
		change(&m)
		return m.Append(nil)
	}
	for _, tt := range []struct {
		name string
		file []byte
		want string // in the error
	}{
		{"empty", nil, "0 bytes"},
		{"text", []byte("bucket,key\nphotos,a\n"), "does not end with PAR1"},
		{"encrypted", append(bytes.Repeat([]byte("x"), 20), "PARE"...), "encrypted"},
		{"footer longer than the file", append(footer(nil, nil)[:4], "\xff\xff\xff\x7fPAR1"...), "footer"},
		{"footer of 17 MiB", footer(nil, make([]byte, parquet.MaxFooter+1)), "more than"},
		{"footer of nothing", footer(nil, nil), "is truncated"},
		{"list of 2^31", footer(nil, []byte{0x49, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07}), "is truncated"},
		{"nested without end", footer(nil, bytes.Repeat([]byte{0xfc}, 1<<20)), "malformed"},
		{"lists in lists", footer(nil, append([]byte{0xf9}, bytes.Repeat([]byte{0x19}, 1<<20)...)), "malformed"},
		{"rows without row groups", footer(nil, with(func(*parquet.Meta) {})), "rows"},
		{"more rows than bytes allow", footer(make([]byte, 100), with(func(m *parquet.Meta) { m.Groups = 1 })), "rows in"},
		{"no columns", footer(make([]byte, 100), with(func(m *parquet.Meta) { m.Columns, m.Rows = nil, 0 })), "no column bucket"},
		{"other columns", footer(nil, with(func(m *parquet.Meta) { m.Columns[1].Name, m.Rows = "k", 0 })), "no column key"},
		{"key is a number", footer(nil, with(func(m *parquet.Meta) { m.Columns[1].Type, m.Rows = 2, 0 })), "another type"},
		{"chunk outside", footer(make([]byte, 100), with(func(m *parquet.Meta) { m.Groups, m.Rows, m.Offset = 1, 1, 1<<40 })), "column chunk"},
		{"page of zeros", footer(make([]byte, 100), with(func(m *parquet.Meta) { m.Groups, m.Rows = 1, 1 })), "column bucket"},
		{"a page of 2 GiB", footer(parquet.PageHeader(1<<31-1, 50), with(func(m *parquet.Meta) { m.Groups, m.Rows = 1, 1 })), "a page claims"},
		{"a page that inflates to 60 MiB", footer(parquet.PageHeader(60<<20, 50), with(func(m *parquet.Meta) { m.Groups, m.Rows, m.Codec = 1, 1, 6 })), "decompressed"},
		{"an unknown codec", footer(parquet.PageHeader(10, 30), with(func(m *parquet.Meta) { m.Groups, m.Rows, m.Codec = 1, 1, 4 })), "codec BROTLI"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rows, err := read(t, tt.file, key)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d rows, error %v, want one with %q", len(rows), err, tt.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 {
				t.Errorf("it takes %d bytes", used)
			}
		})
	}
}

// The memory of a reader does not grow with the number of rows.
func TestReaderMemory(t *testing.T) {
	columns := benchColumns
	b := shard(t, columns, 1<<13, membucket.UniformRecords(1<<15))
	r := parquet.Format.NewReader(columns)
	if err := r.Open(t.Context(), file(b), format.Place{}); err != nil {
		t.Fatal(err)
	}
	next := func() {
		for range 1 << 12 {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	next()
	if n := testing.AllocsPerRun(6, next); n > 400 {
		t.Errorf("4,096 rows allocate %v times", n)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(shard(f, allColumns, 16, mixed()))
	f.Add(shard(f, allColumns[:2], 1000, membucket.UniformRecords(3)))
	f.Add(footer(make([]byte, 60), parquet.Meta{Rows: 1, Groups: 1, Columns: []parquet.MetaColumn{{Name: "bucket"}, {Name: "key"}}}.Append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		r := parquet.Format.NewReader(allColumns)
		defer r.Close()
		err := r.Open(t.Context(), file(b), format.Place{})
		if err == nil && len(b)%2 == 0 {
			_, err = r.(format.Seeker).Seek([]byte("photos/2"))
		}
		for n := 0; err == nil && n < 1<<14; n++ {
			var row *format.Row
			row, err = r.Next()
			if e, ok := err.(*format.RowError); ok && !e.Fatal {
				err = nil
			} else if err == nil {
				row.Clone()
			}
		}
	})
}
