package ranges

import (
	"slices"
	"testing"

	"github.com/stocktake/stocktake/internal/keygen"
)

// survey asks for so many pages of b, some at once.
func survey(b *keygen.Bucket, pages, requests int) *Table {
	t := New([]Range{{}}, nil)
	row := map[*Range]int64{}
	for asked := 0; asked < pages; {
		probes := t.Probe(min(requests, pages-asked))
		if len(probes) == 0 {
			break
		}
		asked += len(probes)
		for _, r := range probes {
			from, seen := row[r]
			if !seen {
				from = b.From(r.From)
			}
			end := b.Rows
			if r.To != "" {
				end = b.From(r.To)
			}
			n := min(1000, end-from)
			if n > 0 {
				row[r] = from + n
				t.Page(r, int(n), func(i int) []byte { return b.AppendKey(nil, from+int64(i)) }, from+1000 < end)
			}
			if from+1000 >= end {
				t.Finish(r, n <= 0)
			}
		}
	}
	return t
}

// A few pages are enough to cut a bucket of a million keys of most shapes into parts of
// which none is half of it. Where folders are nested, or one folder has nearly all, what
// was missed is found when slices are cut again.
func TestParts(t *testing.T) {
	for _, rows := range []int64{100_000, 1_000_000, 10_000_000} {
		for _, shape := range keygen.Shapes {
			b, err := keygen.New(shape, rows)
			if err != nil {
				t.Fatal(err)
			}
			const n = 32
			table := survey(b, 64, 4)
			all, _ := table.Parts(table.First(), nil, 1e300)
			_, cuts := table.Parts(table.First(), nil, all/n)
			if !slices.IsSorted(cuts) || len(slices.Compact(slices.Clone(cuts))) != len(cuts) {
				t.Errorf("%s of %d: cuts %q", shape, rows, cuts)
			}
			var largest, from int64
			for _, cut := range append(cuts, "\xff\xff") {
				to := b.From(cut)
				largest = max(largest, to-from)
				from = to
			}
			if most := rows / 2; largest > most && rows <= 1_000_000 && shape != "nested" {
				t.Errorf("%s of %d: the largest part has %d", shape, rows, largest)
			}
			t.Logf("%-7s of %8d: %2d cuts, estimate %8.0f, the largest part is %.1f even shares", shape, rows, len(cuts), all, float64(largest)*n/float64(rows))
		}
	}
}
