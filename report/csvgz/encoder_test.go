package csvgz_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/csvgz"
	"github.com/stocktake/stocktake/report/format"
)

var _ format.Encoder = (*csvgz.Encoder)(nil)

// encode returns a shard of recs in one piece, encoded in batches of size.
func encode(t testing.TB, columns []stocktake.Field, recs []stocktake.Record, size int) []byte {
	t.Helper()
	e := newEncoder(t, columns)
	out, join := begin(t)
	e.Reset(out)
	for batch := range slices.Chunk(recs, size) {
		if _, err := e.Encode(batch); err != nil {
			t.Fatal(err)
		}
	}
	end(t, join, e)
	return out.Bytes()
}

// begin begins a shard.
func begin(t failer) (*bytes.Buffer, format.Joiner) {
	t.Helper()
	join, err := csvgz.Format.NewJoiner(benchBucket, allColumns)
	if err != nil {
		t.Fatalf("%v", err)
	}
	out := new(bytes.Buffer)
	if err := join.Begin(out); err != nil {
		t.Fatalf("%v", err)
	}
	return out, join
}

// end ends a shard with the piece that e encodes.
func end(t failer, join format.Joiner, e format.Encoder) {
	t.Helper()
	p, err := e.Close()
	if err == nil {
		err = errors.Join(join.Add(p), join.End())
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// A failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func gunzip(t failer, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%v", err)
	}
	s, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%v after %d bytes that end %q", err, len(s), s[max(0, len(s)-300):])
	}
	return s
}

// same compares two texts.
func same(t failer, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	around := func(b []byte) []byte { return b[max(0, min(i-100, len(b))):min(len(b), i+100)] }
	t.Fatalf("%d bytes, want %d; they differ at %d: %q, want %q", len(got), len(want), i, around(got), around(want))
}

// The stream contains the plain encoder's rows and is about as large as that of a general
// compressor.
func TestWorkloads(t *testing.T) {
	for _, w := range workloads {
		recs := w.make(rand.New(rand.NewPCG(1, 2)), 10000)
		for _, columns := range [][]stocktake.Field{allColumns, allColumns[:4]} {
			t.Run(fmt.Sprintf("%s-%d", w.name, len(columns)), func(t *testing.T) {
				want := plainCSV(benchBucket, columns, recs)
				stream := encode(t, columns, recs, 1000)
				same(t, gunzip(t, stream), want)

				var level1 bytes.Buffer
				z, err := kgzip.NewWriterLevel(&level1, kgzip.BestSpeed)
				if err != nil {
					t.Fatal(err)
				}
				z.Write(want)
				z.Close()
				size := float64(len(stream)) / float64(level1.Len())
				t.Logf("%.2f bytes a row, %.3f of level 1", float64(len(stream))/float64(len(recs)), size)
				if size > 1.1 {
					t.Errorf("the stream is %.3f the size of level 1's, want at most 1.1", size)
				}
			})
		}
	}
}

// Every reader of gzip reads the stream; compress/gzip does in every other test.
func TestOtherReaders(t *testing.T) {
	recs := lake(rand.New(rand.NewPCG(3, 4)), 5000)
	want := plainCSV(benchBucket, allColumns, recs)
	stream := encode(t, allColumns, recs, 300)
	t.Run("klauspost", func(t *testing.T) {
		z, err := kgzip.NewReader(bytes.NewReader(stream))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	})
	for _, command := range [][]string{
		{"gzip", "-dc"}, // checks, too, all that gzip -t does
		{"python3", "-c", "import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read(), 31))"},
	} {
		t.Run(command[0], func(t *testing.T) {
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skip(err)
			}
			cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
			cmd.Stdin = bytes.NewReader(stream)
			got, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		})
	}
}

func TestNoRows(t *testing.T) {
	if got := gunzip(t, encode(t, allColumns, nil, 1)); len(got) != 0 {
		t.Errorf("a stream of no rows holds %q", got)
	}
}

// The same records result in the same bytes, whatever was encoded before and however they are
// batched.
func TestSameBytes(t *testing.T) {
	recs := archive(rand.New(rand.NewPCG(5, 6)), 20000)
	want := encode(t, allColumns, recs, len(recs))
	e := newEncoder(t, allColumns)
	for _, size := range []int{1, 7, 1000} {
		out, join := begin(t)
		e.Reset(io.Discard)
		if _, err := e.Encode(photos(rand.New(rand.NewPCG(7, 8)), 5000)); err != nil {
			t.Fatal(err)
		}
		e.Reset(out)
		for batch := range slices.Chunk(recs, size) {
			if _, err := e.Encode(batch); err != nil {
				t.Fatal(err)
			}
		}
		end(t, join, e)
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("batches of %d: %d bytes unlike the %d of one batch", size, out.Len(), len(want))
		}
	}
}

// If the kind of rows changes permanently, the encoder soon makes new codes.
func TestRowsThatChange(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	recs := append(lake(rnd, 40000), photos(rnd, 40000)...)
	for i := 40000; i < len(recs); i++ {
		recs[i].HasCRC64 = false
		recs[i].ETag = stocktake.ETag{Text: fmt.Appendf(nil, "%x", recs[i].ETag.Sum)}
	}
	both := len(encode(t, allColumns, recs, 1000))
	alone := len(encode(t, allColumns, recs[:40000], 1000)) + len(encode(t, allColumns, recs[40000:], 1000))
	if float64(both) > 1.02*float64(alone) {
		t.Errorf("%d bytes, want at most 2 %% more than the %d of two streams", both, alone)
	}
}

func TestNoAllocation(t *testing.T) {
	for _, w := range workloads {
		recs := w.make(rand.New(rand.NewPCG(1, 2)), 5000) // enough for codes to be fitted again
		e := newEncoder(t, allColumns)
		e.Reset(io.Discard)
		if _, err := e.Encode(recs[:100]); err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(3, func() {
			e.Reset(io.Discard)
			for batch := range slices.Chunk(recs, 500) {
				if _, err := e.Encode(batch); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n > 0 {
			t.Errorf("%s: %.0f allocations in %d records, want none", w.name, n, len(recs))
		}
	}
}

// If a writer fails at its nth write, the current call fails, and all later calls
// until Reset.
func TestFailingWriter(t *testing.T) {
	recs := lake(rand.New(rand.NewPCG(1, 2)), 3000)
	e := newEncoder(t, allColumns)
	want := encode(t, allColumns, recs, 100)
	want = want[10 : len(want)-10] // without the bytes that the joiner writes before and after the piece
	for n := 1; ; n++ {
		w := &failing{n: n}
		e.Reset(w)
		var err error
		for batch := range slices.Chunk(recs, 100) {
			if _, err = e.Encode(batch); err != nil {
				break
			}
		}
		if err == nil {
			_, err = e.Close()
		}
		if err == nil {
			same(t, w.b, want)
			if n < 4 {
				t.Errorf("%d writes, want more", n)
			}
			break
		}
		if !errors.Is(err, errFull) {
			t.Fatalf("write %d failed: error %v, want %v", n, err, errFull)
		}
		if _, err := e.Encode(recs[:1]); !errors.Is(err, errFull) {
			t.Errorf("write %d failed: Encode then returned %v, want %v", n, err, errFull)
		}
		if _, err := e.Close(); !errors.Is(err, errFull) {
			t.Errorf("write %d failed: Close then returned %v, want %v", n, err, errFull)
		}
	}

	e.Reset(short{})
	if _, err := e.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a short write returned %v, want %v", err, io.ErrShortWrite)
	}
}

var errFull = errors.New("full")

// failing fails its nth write.
type failing struct {
	n int
	b []byte
}

func (w *failing) Write(p []byte) (int, error) {
	if w.n--; w.n == 0 {
		return len(p) / 2, errFull
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

type short struct{}

func (short) Write(p []byte) (int, error) { return len(p) - 1, nil }

func TestOutOfTurn(t *testing.T) {
	e := newEncoder(t, allColumns)
	recs := lake(rand.New(rand.NewPCG(1, 2)), 1)
	if _, err := e.Encode(recs); err == nil {
		t.Error("Encode before Reset: no error")
	}
	e.Reset(io.Discard)
	if _, err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Encode(recs); err == nil {
		t.Error("Encode after Close: no error")
	}
	if _, err := e.Close(); err == nil {
		t.Error("Close after Close: no error")
	}
}

func TestNewRefuses(t *testing.T) {
	bucket, key := stocktake.FieldBucket, stocktake.FieldKey
	for _, tt := range []struct {
		name, bucket string
		columns      []stocktake.Field
	}{
		{"no bucket", "", allColumns},
		{"bucket with a comma", "a,b", allColumns},
		{"bucket with a quote", `a"b`, allColumns},
		{"bucket too long", strings.Repeat("b", 256), allColumns},
		{"no columns", "b", nil},
		{"no key", "b", []stocktake.Field{bucket}},
		{"key first", "b", []stocktake.Field{key, bucket}},
		{"column twice", "b", []stocktake.Field{bucket, key, stocktake.FieldSize, stocktake.FieldSize}},
		{"column of incremental reports", "b", []stocktake.Field{bucket, key, stocktake.FieldRequester}},
		{"no column", "b", []stocktake.Field{bucket, key, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := csvgz.New(tt.bucket, tt.columns); err == nil {
				t.Error("no error")
			}
		})
	}
}

func newEncoder(t testing.TB, columns []stocktake.Field) *csvgz.Encoder {
	t.Helper()
	e, err := csvgz.New(benchBucket, columns)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
