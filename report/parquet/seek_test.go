package parquet_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/parquet"
)

// The rows that Seek skips come before the key, and the rows after it are the same as
// without Seek.
func TestSeek(t *testing.T) {
	records := membucket.UniformRecords(70_000)
	for i := range records {
		if i%7 == 0 { // pages with and without values
			records[i].HasCRC64 = i < 30_000
		}
	}
	records = append(records, stocktake.Record{Key: []byte("\xf0\x9f\x98\x80")}, stocktake.Record{Key: []byte("\xff")})
	slices.SortFunc(records, func(a, b stocktake.Record) int { return bytes.Compare(a.Key, b.Key) })
	columns := []stocktake.Field{
		stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldCRC64, stocktake.FieldIsMultipartUploaded,
	}
	b := shard(t, columns, 50_000, records)
	all, err := read(t, b, columns)
	if err != nil {
		t.Fatal(err)
	}
	some := slices.Clone(columns)
	some[3] = 0
	key := func(i int) []byte { return records[i].Key }
	for _, tt := range []struct {
		name    string
		key     []byte
		columns []stocktake.Field
		rows    int64 // passed over
	}{
		{"before all", []byte("\x00"), columns, 0},
		{"in the first page", key(100), columns, 0},
		{"in the third page", key(40_000), columns, 2 << 14},
		{"the first of a page", key(1 << 14), columns, 1 << 14},
		{"between two pages", append(bytes.Clone(key(1<<14-1)), 0), columns, 1 << 14},
		{"in the second row group", key(69_000), columns, 50_000 + 1<<14},
		{"of few columns", key(69_000), some, 50_000 + 1<<14},
		{"after all but what is escaped", []byte("\xf0\x9f\x98\x80"), columns, 50_000 + 1<<14},
		{"what is escaped", []byte("\xff"), columns, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := parquet.Format.NewReader(tt.columns).(format.Seeker)
			defer r.Close()
			if err := r.Open(t.Context(), file(b), format.Place{}); err != nil {
				t.Fatal(err)
			}
			n, err := r.Seek(tt.key)
			if err != nil || n != tt.rows {
				t.Fatalf("%d rows passed over, %v, want %d", n, err, tt.rows)
			}
			for i := int(n); ; i++ {
				row, err := r.Next()
				if err == io.EOF && i == len(records) {
					break
				}
				if err != nil {
					t.Fatal(i, err)
				}
				if got := string(bytes.Join(row.Values(), []byte("|"))); tt.columns[3] != 0 && got != all[i] || !bytes.Equal(row.Key, key(i)) {
					t.Fatalf("row %d is %s, want %s", i+1, got, all[i])
				}
			}
		})
	}

	// From a later piece on, and beyond all rows.
	r := parquet.Format.NewReader(columns).(format.Seeker)
	if _, err := r.Seek(key(0)); err == nil {
		t.Error("Seek without a shard: no error")
	}
	if err := r.Open(t.Context(), file(b), format.Place{}); err != nil {
		t.Fatal(err)
	}
	records = records[:60_000]
	b = shard(t, columns, 50_000, records)
	if err := r.Open(t.Context(), file(b), format.Place{}); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Seek([]byte("\xf0")); err != nil || n != 60_000 {
		t.Errorf("beyond all rows: %d, %v", n, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Error(err)
	}
}

// With a damaged index, the reader returns an error or skips no row.
func TestSeekDamaged(t *testing.T) {
	columns := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize}
	whole := shard(t, columns, 50_000, membucket.UniformRecords(40_000))
	rnd := rand.New(rand.NewPCG(1, 2))
	r := parquet.Format.NewReader(columns).(format.Seeker)
	defer r.Close()
	for range 300 {
		b := bytes.Clone(whole)
		b[len(b)-1-rnd.IntN(1500)] = byte(rnd.Uint32())
		if err := r.Open(t.Context(), file(b), format.Place{}); err != nil {
			continue
		}
		n, err := r.Seek(membucket.UniformRecords(39_001)[39_000].Key)
		for range 10 {
			if err == nil {
				_, err = r.Next()
			}
		}
		if err == nil && n > 40_000 {
			t.Errorf("%d rows passed over", n)
		}
	}
}
