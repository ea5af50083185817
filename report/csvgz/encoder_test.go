package csvgz_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvgz"
)

var _ report.Compressor = (*csvgz.Encoder)(nil)

// encode gives the stream of recs, encoded in batches of size.
func encode(t testing.TB, columns []stocktake.Field, recs []stocktake.Record, size int) []byte {
	t.Helper()
	e, err := csvgz.New(benchBucket, columns)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e.Reset(&out)
	for len(recs) > 0 {
		n := min(size, len(recs))
		if _, err := e.Encode(recs[:n]); err != nil {
			t.Fatal(err)
		}
		recs = recs[n:]
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gunzip(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	s, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("after %q: %v", s[max(0, len(s)-300):], err)
	}
	return s
}

func TestWorkloads(t *testing.T) {
	for _, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			recs := w.make(rand.New(rand.NewPCG(1, 2)), 50000)
			want := plainCSV(benchBucket, allColumns, recs)
			stream := encode(t, allColumns, recs, 1000)
			got := gunzip(t, stream)
			if !bytes.Equal(got, want) {
				i := 0
				for i < len(got) && i < len(want) && got[i] == want[i] {
					i++
				}
				t.Fatalf("%d bytes, want %d; differ at %d: %q, want %q", len(got), len(want), i,
					got[max(0, i-100):min(len(got), i+50)], want[max(0, i-100):min(len(want), i+50)])
			}
			var k bytes.Buffer
			z, _ := kgzip.NewWriterLevel(&k, 1)
			z.Write(want)
			z.Close()
			t.Logf("%d bytes, level 1 %d: %.3f, %.2f B/row", len(stream), k.Len(), float64(len(stream))/float64(k.Len()), float64(len(stream))/float64(len(recs)))
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			recs := w.make(rand.New(rand.NewPCG(1, 2)), 50000)
			csv := plainCSV(benchBucket, allColumns, recs)
			e, _ := csvgz.New(benchBucket, allColumns)
			var out bytes.Buffer
			b.ReportAllocs()
			b.SetBytes(int64(len(csv)))
			for b.Loop() {
				out.Reset()
				e.Reset(&out)
				for i := 0; i < len(recs); i += 1000 {
					e.Encode(recs[i : i+1000])
				}
				e.Close()
			}
			b.ReportMetric(float64(len(recs))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
