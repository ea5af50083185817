package report_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// The rows from any key on are those of all rows whose key is not less, with or
// without an index.
func TestRowsFrom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := membucket.RandomRecords(t, 30, true)
		dst := membucket.New(nil, "reports").Bucket("reports")
		limits := report.Limits{Rows: rapid.Int64Range(1, 40).Draw(t, "rows"), PieceRows: rapid.Int64Range(1, 5).Draw(t, "piece")}
		rep := write(t, dst, limits, allColumns, records)
		if rapid.Bool().Draw(t, "without summary") {
			rep.Summary = nil
		}
		var all []*report.Row
		for row, err := range rep.Rows(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, row.Clone())
		}
		keys := [][]byte{nil, {0xff}}
		for i := range records {
			keys = append(keys, records[i].Key, append(slices.Clone(records[i].Key), 0))
		}
		for _, key := range keys {
			var want, got []string
			for _, row := range all {
				if bytes.Compare(row.Key, key) >= 0 {
					want = append(want, string(bytes.Join(row.Values(), []byte("|"))))
				}
			}
			for row, err := range rep.Read(t.Context(), report.Query{Keys: report.KeyRange{From: key}}) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(bytes.Join(row.Values(), []byte("|"))))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("from %q: %d rows, want %d", key, len(got), len(want))
			}
		}
	})
}

// To find a key, one piece of one shard is read.
func TestRowsFromReadsLittle(t *testing.T) {
	dst := membucket.New(nil, "reports").Bucket("reports")
	records := membucket.UniformRecords(60_000)
	rep := write(t, dst, report.Limits{Rows: 20_000, PieceRows: 1000}, tenColumns, records)
	counted := &countingBucket{Bucket: dst}
	rep, err := report.Open(t.Context(), counted, rep.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 999, 1000, 31_415, 59_999} {
		counted.opened, counted.read = 0, 0
		for row, err := range rep.Read(t.Context(), report.Query{Keys: report.KeyRange{From: records[i].Key}}) {
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(row.Key, records[i].Key) {
				t.Errorf("found %q, want %q", row.Key, records[i].Key)
			}
			break
		}
		shard := rep.Manifest.Files[i/20_000].Size
		if counted.opened != 1 || counted.read > shard/4 {
			t.Errorf("row %d: %d bytes read in %d files; the shard has %d", i, counted.read, counted.opened, shard)
		}
	}
}

// countingBucket counts the bytes that are read.
type countingBucket struct {
	*membucket.Bucket
	opened int
	read   int64
}

func (b *countingBucket) count(f io.ReadCloser, err error) (io.ReadCloser, error) {
	b.opened++
	return &countingFile{f, b}, err
}

func (b *countingBucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.count(b.Bucket.Open(ctx, key))
}

func (b *countingBucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return b.count(b.Bucket.OpenRange(ctx, key, offset, length))
}

type countingFile struct {
	io.ReadCloser
	b *countingBucket
}

func (f *countingFile) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	f.b.read += int64(n)
	return n, err
}

// The index of a shard stays small, however many pieces the shard has and however long the keys
// are. Its entries are pieces in order, beginning with the first.
func TestIndexIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  int // bytes of a key; each is written as three
		rows int
	}{
		{"one piece", 3, 1}, {"two pieces", 3, 2}, {"as many as fit", 3, 32}, {"one more", 3, 33}, {"many", 3, 5000}, {"long keys", 1000, 200}, {"longer", 341, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var records []stocktake.Record
			for i := range tt.rows {
				key := bytes.Repeat([]byte{0xe7}, tt.key)
				copy(key[tt.key-3:], []byte{byte(i >> 14), byte(i >> 7 & 127), byte(i & 127)})
				records = append(records, stocktake.Record{Key: key})
			}
			dst := membucket.New(nil, "reports").Bucket("reports")
			rep := write(t, dst, report.Limits{PieceRows: 1}, tenColumns, records)
			pieces := rep.Summary.Files[0].Pieces
			keys := 0
			for i, p := range pieces {
				keys += len(p.FirstKey)
				if i == 0 && p.Row != 0 || i > 0 && (p.Row <= pieces[i-1].Row || p.Offset <= pieces[i-1].Offset) {
					t.Errorf("piece %d is %+v", i, p)
				}
				if want := string(report.AppendKey(nil, records[p.Row].Key)); p.FirstKey != want {
					t.Errorf("piece %d begins with %.40q, want %.40q", i, p.FirstKey, want)
				}
			}
			if len(pieces) > 32 || keys > 4<<10 && len(pieces) > 0 || len(pieces) == 1 {
				t.Errorf("%d pieces, %d bytes of keys", len(pieces), keys)
			}
			if tt.rows > 32 && tt.key < 100 && len(pieces) < 16 {
				t.Errorf("only %d pieces", len(pieces))
			}
			if v := verify(t, dst); !v.OK {
				t.Errorf("%v", v.Findings)
			}
		})
	}
}

// Pieces that were encoded elsewhere and in any order make the same shard as a single writer.
func TestJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := membucket.RandomRecords(t, 20, true)
		for _, f := range everyFormat() {
			size := rapid.IntRange(1, 6).Draw(t, "piece")
			var want bytes.Buffer
			one := shards(t, f, allColumns, report.Limits{PieceRows: int64(size)}, 3, records, func(int) io.WriteCloser { return closer{&want} })
			if len(one) == 0 {
				return
			}
			batches := slices.Collect(slices.Chunk(records, size))
			pieces := make([]report.EncodedPiece, len(batches))
			enc, err := f.NewEncoder("photos", allColumns)
			if err != nil {
				t.Fatal(err)
			}
			for i, batch := range slices.Backward(batches) {
				var out bytes.Buffer
				enc.Reset(&out)
				if _, err := enc.Encode(batch); err != nil {
					t.Fatal(err)
				}
				p, err := enc.Close()
				if err != nil {
					t.Fatal(err)
				}
				pieces[i] = report.EncodedPiece{Piece: p, Blocks: [][]byte{out.Bytes()}, First: batch[0].Key, Last: batch[len(batch)-1].Key}
			}
			var got bytes.Buffer
			w := newShardWriter(t, f, allColumns, report.Limits{})
			if err := w.Begin(&got); err != nil {
				t.Fatal(err)
			}
			for _, p := range pieces {
				if err := w.Join(p); err != nil {
					t.Fatal(err)
				}
			}
			shard, err := w.End()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) || shard.Rows != one[0].Rows || shard.LastKey != one[0].LastKey || !slices.Equal(shard.Pieces, one[0].Pieces) {
				t.Fatalf("%T: %+v, want %+v", f, shard, one[0])
			}
			if err := w.Join(pieces[0]); err == nil {
				t.Fatal("a piece after End: no error")
			}
		}
	})
}
