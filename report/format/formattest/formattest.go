// Package formattest is the contract of [format.Format] as a test suite.
package formattest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// Run tests a format with reports of any of the records that sample returns, in
// the order of their keys.
func Run(t *testing.T, f format.Format, sample func(t *rapid.T) []stocktake.Record) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, format.Format, func(t *rapid.T) []stocktake.Record)
	}{
		{"names", names},
		{"schema", schema},
		{"refused", refused},
		{"read from each piece", fromEachPiece},
		{"encoded out of order", outOfOrder},
		{"same bytes", sameBytes},
		{"failing writer", failingWriter},
		{"failing file", failingFile},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, f, sample) })
	}
}

const bucket = "photos"

// columns are those of full reports.
var columns = slices.DeleteFunc(stocktake.Fields(), func(f stocktake.Field) bool { return f.Column().Full == stocktake.Never })

func names(t *testing.T, f format.Format, _ func(t *rapid.T) []stocktake.Record) {
	if f.Name() == "" || f.Suffix() == "" || f.Suffix()[0] != '.' || f.ContentType() == "" {
		t.Errorf("name %q, suffix %q, content type %q", f.Name(), f.Suffix(), f.ContentType())
	}
}

func schema(t *testing.T, f format.Format, _ func(t *rapid.T) []stocktake.Record) {
	text := f.Schema(columns)
	got, names, err := f.ParseSchema(text)
	if err != nil || !slices.Equal(got, columns) || len(names) != len(columns) {
		t.Errorf("schema %q is read as %v, %q, %v", text, got, names, err)
	}
	if _, _, err := f.ParseSchema(""); err == nil {
		t.Error("an empty schema: no error")
	}
}

func refused(t *testing.T, f format.Format, _ func(t *rapid.T) []stocktake.Record) {
	for _, tt := range []struct {
		name, bucket string
		columns      []stocktake.Field
	}{
		{"no bucket", "", columns},
		{"bucket too long", string(bytes.Repeat([]byte("b"), format.MaxBucket+1)), columns},
		{"no columns", bucket, nil},
		{"no key", bucket, columns[:1]},
		{"key first", bucket, []stocktake.Field{columns[1], columns[0]}},
		{"column twice", bucket, append(slices.Clone(columns), stocktake.FieldSize)},
		{"column of incremental reports", bucket, append(slices.Clone(columns), stocktake.FieldRequester)},
		{"column that does not exist", bucket, append(slices.Clone(columns), 0)},
	} {
		if _, err := f.NewEncoder(tt.bucket, tt.columns); err == nil {
			t.Errorf("%s: an encoder, and no error", tt.name)
		}
		if _, err := f.NewJoiner(tt.bucket, tt.columns); err == nil {
			t.Errorf("%s: a joiner, and no error", tt.name)
		}
	}
}

// fromEachPiece checks that the rows from each piece on are the tail of all rows.
func fromEachPiece(t *testing.T, f format.Format, sample func(t *rapid.T) []stocktake.Record) {
	enc, join, reader := newEncoder(t, f), newJoiner(t, f), f.NewReader(columns)
	rapid.Check(t, func(t *rapid.T) {
		records := sample(t)
		pieces := cut(t, records)
		var shard bytes.Buffer
		check(t, join.Begin(&shard))
		var places []format.Place
		row := int64(0)
		for _, piece := range pieces {
			places = append(places, format.Place{Row: row, Offset: int64(shard.Len())})
			check(t, join.Add(encode(t, enc, &shard, piece)))
			row += int64(len(piece))
		}
		check(t, join.End())

		all := rows(t, reader, file(shard.Bytes()), format.Place{})
		compare(t, records, all)
		if r, ok := reader.(format.TextReader); ok {
			texts(t, r, file(shard.Bytes()), all)
		}
		for _, place := range places {
			if got := rows(t, reader, file(shard.Bytes()), place); !slices.EqualFunc(all[place.Row:], got, sameText) {
				t.Fatalf("from row %d, byte %d:\n%s", place.Row, place.Offset, cmp.Diff(all[place.Row:], got))
			}
		}
	})
	check(t, reader.Close())
}

// outOfOrder checks that pieces made by several encoders in any order, joined in
// order, become the same shard as those of one encoder.
func outOfOrder(t *testing.T, f format.Format, sample func(t *rapid.T) []stocktake.Record) {
	join := newJoiner(t, f)
	encoders := []format.Encoder{newEncoder(t, f), newEncoder(t, f), newEncoder(t, f)}
	rapid.Check(t, func(t *rapid.T) {
		pieces := cut(t, sample(t))
		var want bytes.Buffer
		check(t, join.Begin(&want))
		for _, piece := range pieces {
			check(t, join.Add(encode(t, encoders[0], &want, piece)))
		}
		check(t, join.End())

		encoded := make([]bytes.Buffer, len(pieces))
		made := make([]format.Piece, len(pieces))
		order := rand.Perm(len(pieces))
		var group sync.WaitGroup
		for worker, enc := range encoders {
			group.Go(func() {
				for i := worker; i < len(order); i += len(encoders) {
					n := order[i]
					enc.Reset(&encoded[n])
					if _, err := enc.Encode(pieces[n]); err != nil {
						panic(err) // a bytes.Buffer does not fail
					}
					var err error
					if made[n], err = enc.Close(); err != nil {
						panic(err)
					}
				}
			})
		}
		group.Wait()
		var got bytes.Buffer
		check(t, join.Begin(&got))
		for i := range pieces {
			got.Write(encoded[i].Bytes())
			check(t, join.Add(made[i]))
		}
		check(t, join.End())
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%d bytes, unlike the %d of one encoder", got.Len(), want.Len())
		}
	})
}

// sameBytes checks that the bytes and sizes of a piece depend on its records alone.
func sameBytes(t *testing.T, f format.Format, sample func(t *rapid.T) []stocktake.Record) {
	enc := newEncoder(t, f)
	rapid.Check(t, func(t *rapid.T) {
		records := sample(t)
		var want, got bytes.Buffer
		first := encode(t, enc, &want, records)
		if first.Stored != int64(want.Len()) || first.Rows != int64(len(records)) {
			t.Fatalf("%+v of %d rows in %d bytes", first, len(records), want.Len())
		}
		encode(t, enc, io.Discard, sample(t))
		enc.Reset(io.Discard)
		if len(records) > 0 { // dropped
			if _, err := enc.Encode(records[:1]); err != nil {
				t.Fatal(err)
			}
		}
		enc.Reset(&got)
		size := int64(0)
		for batch := range slices.Chunk(records, rapid.IntRange(1, 5).Draw(t, "batch")) {
			n, err := enc.Encode(batch)
			check(t, err)
			size += n
		}
		second, err := enc.Close()
		check(t, err)
		if !bytes.Equal(got.Bytes(), want.Bytes()) || first.Size != size || second.Size != size {
			t.Fatalf("%d bytes of %d, then %d bytes of %d and %d", want.Len(), first.Size, got.Len(), second.Size, size)
		}
	})
}

// failingWriter checks that an error of the writer is returned by the method that
// wrote, and that Reset and Begin recover.
func failingWriter(t *testing.T, f format.Format, _ func(t *rapid.T) []stocktake.Record) {
	boom := errors.New("boom")
	enc, join := newEncoder(t, f), newJoiner(t, f)
	records := []stocktake.Record{{Key: []byte("a")}, {Key: []byte("b")}}
	enc.Reset(failing{boom})
	_, err := enc.Encode(records)
	if err == nil {
		_, err = enc.Close()
	}
	if !errors.Is(err, boom) {
		t.Errorf("encoder: error %v, want %v", err, boom)
	}
	var shard bytes.Buffer
	if err = join.Begin(failing{boom}); err == nil {
		err = join.End()
	}
	if !errors.Is(err, boom) {
		t.Errorf("joiner: error %v, want %v", err, boom)
	}
	check(t, join.Begin(&shard))
	check(t, join.Add(encode(t, enc, &shard, records)))
	check(t, join.End())
	if got := rows(t, f.NewReader(columns), file(shard.Bytes()), format.Place{}); len(got) != len(records) {
		t.Errorf("%d rows of %d after errors", len(got), len(records))
	}
}

// failingFile checks that the reader returns errors of the file, wherever they
// occur, and takes none for the end of the rows.
func failingFile(t *testing.T, f format.Format, _ func(t *rapid.T) []stocktake.Record) {
	enc, join := newEncoder(t, f), newJoiner(t, f)
	var shard bytes.Buffer
	check(t, join.Begin(&shard))
	var records []stocktake.Record
	for i := range 1000 {
		records = append(records, stocktake.Record{Key: fmt.Appendf(nil, "key-%06d", i), Size: rand.Int64N(1 << 40)})
	}
	check(t, join.Add(encode(t, enc, &shard, records)))
	check(t, join.End())
	reader := f.NewReader(columns)
	for n := 0; n < shard.Len(); n += 997 {
		err := reader.Open(t.Context(), cutFile{shard.Bytes(), n}, format.Place{})
		for err == nil {
			_, err = reader.Next()
		}
		if !errors.Is(err, errCut) {
			t.Fatalf("after %d bytes of %d: error %v, want %v", n, shard.Len(), err, errCut)
		}
	}
	if err := reader.Open(t.Context(), missing{}, format.Place{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v, want %v", err, fs.ErrNotExist)
	}
	if _, err := reader.Next(); err == nil || err == io.EOF {
		t.Errorf("Next without a file: %v", err)
	}
	check(t, reader.Close())
}

// tb is what testing.T and rapid.T share.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Context() context.Context
}

func check(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newEncoder(t tb, f format.Format) format.Encoder {
	t.Helper()
	e, err := f.NewEncoder(bucket, columns)
	check(t, err)
	return e
}

func newJoiner(t tb, f format.Format) format.Joiner {
	t.Helper()
	j, err := f.NewJoiner(bucket, columns)
	check(t, err)
	return j
}

// encode encodes a piece.
func encode(t tb, enc format.Encoder, w io.Writer, records []stocktake.Record) format.Piece {
	t.Helper()
	enc.Reset(w)
	_, err := enc.Encode(records)
	check(t, err)
	p, err := enc.Close()
	check(t, err)
	return p
}

// cut cuts records into pieces of at least one.
func cut(t *rapid.T, records []stocktake.Record) (pieces [][]stocktake.Record) {
	for len(records) > 0 {
		n := rapid.IntRange(1, len(records)).Draw(t, "piece")
		pieces = append(pieces, records[:n])
		records = records[n:]
	}
	return pieces
}

// rows reads all rows from a place on.
func rows(t tb, reader format.Reader, f format.File, at format.Place) (all []*format.Row) {
	t.Helper()
	check(t, reader.Open(t.Context(), f, at))
	for {
		row, err := reader.Next()
		if err == io.EOF {
			return all
		}
		check(t, err)
		all = append(all, row.Clone())
	}
}

// texts checks that the rows read as texts are the same, and that equal texts
// are equal rows.
func texts(t tb, reader format.TextReader, f format.File, all []*format.Row) {
	t.Helper()
	check(t, reader.Open(t.Context(), f, format.Place{}))
	var last []byte
	for i, want := range all {
		text, err := reader.NextText()
		check(t, err)
		same := i > 0 && bytes.Equal(text, last)
		last = bytes.Clone(text)
		got, err := reader.Row()
		check(t, err)
		if !sameText(got, want) || same != (i > 0 && sameText(got, all[i-1])) {
			t.Fatalf("row %d as text: %q, want %q; same text as before: %v", i, got.Values(), want.Values(), same)
		}
	}
	if text, err := reader.NextText(); err != io.EOF {
		t.Fatalf("after the last row: %q, %v", text, err)
	}
}

// sameText reports whether two rows have the same text in all columns.
func sameText(a, b *format.Row) bool { return slices.EqualFunc(a.Values(), b.Values(), bytes.Equal) }

// compare compares records with the rows that were read. A value that is absent
// is read as an empty one.
func compare(t tb, records []stocktake.Record, rows []*format.Row) {
	t.Helper()
	if len(rows) != len(records) {
		t.Fatalf("%d rows of %d records", len(rows), len(records))
	}
	for i, row := range rows {
		want, got := records[i], row.Record
		if want.IsDeleteMarker && want.ETag.Text == nil {
			want.ETag.Text = []byte{}
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" || string(row.Bucket) != bucket {
			t.Fatalf("row %d of bucket %q (-written +read):\n%s", i+1, row.Bucket, diff)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// file is a shard in memory.
type file []byte

func (f file) Size() int64 { return int64(len(f)) }

func (f file) Open(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	if length < 0 {
		length = f.Size() - offset
	}
	return io.NopCloser(io.NewSectionReader(bytes.NewReader(f), offset, length)), nil
}

var errCut = errors.New("cut off")

// cutFile fails behind its first bytes.
type cutFile struct {
	b []byte
	n int
}

func (f cutFile) Size() int64 { return int64(len(f.b)) }

func (f cutFile) Open(_ context.Context, offset, _ int64) (io.ReadCloser, error) {
	if offset >= int64(f.n) {
		return io.NopCloser(failingReader{}), nil
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(f.b[offset:f.n]), failingReader{})), nil
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errCut }

type missing struct{}

func (missing) Size() int64 { return 0 }

func (missing) Open(context.Context, int64, int64) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
