package csvgz_test

import (
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/stocktake/stocktake/report/csvgz"
)

// BenchmarkAgainstLevel1 measures, in turns, the Encoder with its formatting, and
// klauspost/compress gzip level 1 on rows that are already formatted, so that other
// load affects both alike. ratio is the median of the time of level 1 divided by that
// of the Encoder.
func BenchmarkAgainstLevel1(b *testing.B) {
	const n = 1 << 16
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			recs := pack(w.make(rand.New(rand.NewPCG(1, 2)), n))
			csv := plainCSV(benchBucket, allColumns, recs)
			e, err := csvgz.New(benchBucket, allColumns)
			if err != nil {
				b.Fatal(err)
			}
			var ours, theirs counter
			z, err := kgzip.NewWriterLevel(io.Discard, kgzip.BestSpeed)
			if err != nil {
				b.Fatal(err)
			}
			var spent [2][]time.Duration
			var ratios []float64
			for b.Loop() {
				ours, theirs = 0, 0
				t0 := time.Now()
				e.Reset(&ours)
				for batch := range slices.Chunk(recs, 512) {
					if _, err := e.Encode(batch); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := e.Close(); err != nil {
					b.Fatal(err)
				}
				t1 := time.Now()
				z.Reset(&theirs)
				for part := range slices.Chunk(csv, 64<<10) {
					z.Write(part)
				}
				if err := z.Close(); err != nil {
					b.Fatal(err)
				}
				t2 := time.Now()
				spent[0] = append(spent[0], t1.Sub(t0))
				spent[1] = append(spent[1], t2.Sub(t1))
				ratios = append(ratios, float64(t2.Sub(t1))/float64(t1.Sub(t0)))
			}
			slices.Sort(ratios)
			best, level1 := slices.Min(spent[0]), slices.Min(spent[1])
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
			b.ReportMetric(float64(best.Nanoseconds())/n, "ns/row")
			b.ReportMetric(float64(level1.Nanoseconds())/n, "level1-ns/row")
			b.ReportMetric(float64(ours)/float64(theirs), "size")
			b.ReportMetric(float64(ours)/n, "B/row")
			b.ReportMetric(float64(len(csv))/n, "text-B/row")
		})
	}
}

// A counter counts what is written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
