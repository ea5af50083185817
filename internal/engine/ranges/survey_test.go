package ranges

import (
	"math"
	"slices"
	"testing"

	"github.com/stocktake/stocktake/internal/keygen"
)

// survey requests the given number of pages of b, some at once.
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
				from = b.Rank(r.From)
			}
			end := b.Rows
			if r.To != "" {
				end = b.Rank(r.To)
			}
			n := min(1000, end-from)
			more := from+1000 <= end && from+1000 < b.Rows // as the store says it
			if n > 0 {
				row[r] = from + n
				t.Page(r, int(n), func(i int) []byte { return b.AppendKey(nil, from+int64(i)) }, more)
			}
			if !more {
				t.Finish(r, n <= 0)
			}
		}
	}
	return t
}

// A few pages are enough to cut a bucket of a million keys, for most shapes, into
// parts of less than half of it each. If folders are nested, or one folder has nearly
// all keys, cutting the slices again corrects the division.
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
				to := b.Rank(cut)
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

// A scan that is declared large is cut after its first page, any other only when
// enough pages are known.
func TestLarge(t *testing.T) {
	b, err := keygen.New("flat", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, large := range []bool{false, true} {
		table := New([]Range{{}}, nil)
		if large {
			table.Large()
		}
		if n := len(table.Take(4, 1e9)); n != 1 {
			t.Fatalf("%d requests before anything is known", n)
		}
		table.Page(table.First(), 1000, func(i int) []byte { return b.AppendKey(nil, int64(i)) }, true)
		if n := len(table.Take(4, 1e9)); (n > 0) != large {
			t.Errorf("large %v: %d ranges are cut off after the first page", large, n)
		}
	}
}

// The number of rows of a page is an estimate until the first page. The estimate of
// the remaining rows of others does not depend on it.
func TestPagesAreSmall(t *testing.T) {
	b, err := keygen.New("flat", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ rows, want int }{{100, 100}, {7, leastRows}, {250, 250}, {1000, 1000}} {
		table := New([]Range{{}}, summaryOf(b, 3125))
		first := table.Take(4, 1e9)
		if len(first) != 4 {
			t.Fatalf("%d requests, as the last report tells", len(first))
		}
		other := func() float64 { return table.expected(first[1]) * float64(table.PageRows()) }
		before := other()
		table.Page(first[0], tt.rows, func(i int) []byte { return b.AppendKey(nil, int64(i)) }, true)
		if got := table.PageRows(); got != tt.want {
			t.Errorf("pages of %d rows: taken for %d", tt.rows, got)
		}
		if after := other(); math.Abs(after-before) > 1 || before < 10_000 {
			t.Errorf("pages of %d rows: %.0f rows are left of another range, %.0f before", tt.rows, after, before)
		}
	}
}
