package ranges

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/keygen"
)

type event struct {
	at float64
	r  *Range
}
type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any          { o := *e; x := o[len(o)-1]; *e = o[:len(o)-1]; return x }

// simulate lists b with the given number of concurrent requests; each takes about 1.
func simulate(b *keygen.Bucket, requests int, last *stocktake.Summary, within float64) (t *Table, took float64, calls int) {
	t = New([]Range{{}}, last)
	rng := rand.New(rand.NewPCG(1, 2))
	var queue events
	now := 0.0
	running := 0
	row := map[*Range]int64{}
	send := func(r *Range) {
		if _, ok := row[r]; !ok {
			row[r] = b.Rank(r.From)
		}
		calls++
		heap.Push(&queue, event{at: now + 0.9 + 0.2*rng.Float64(), r: r})
	}
	fill := func() {
		for _, r := range t.Take(requests-running, within) {
			running++
			send(r)
		}
	}
	fill()
	var rec stocktake.Record
	for len(queue) > 0 {
		e := heap.Pop(&queue).(event)
		now = e.at
		r := e.r
		from := row[r]
		end := b.Rows
		if r.To != "" {
			end = b.Rank(r.To)
		}
		n := min(1000, end-from)
		// A page that ends just before the end of its range says that more follows,
		// because only the next row would show the end.
		more := from+1000 <= end && from+1000 < b.Rows
		if n > 0 {
			row[r] = from + n
			t.Page(r, int(n), func(i int) []byte { b.Fill(&rec, from+int64(i)); return rec.Key }, more)
		}
		if more {
			send(r)
		} else {
			t.Finish(r, n <= 0)
			running--
		}
		fill()
	}
	return t, now, calls
}

// shapes calls f with a bucket of each shape.
func shapes(t *testing.T, rows int64, f func(t *testing.T, b *keygen.Bucket)) {
	for _, shape := range keygen.Shapes {
		t.Run(fmt.Sprintf("%s/%d", shape, rows), func(t *testing.T) {
			b, err := keygen.New(shape, rows)
			if err != nil {
				t.Fatal(err)
			}
			f(t, b)
		})
	}
}

// outcome is the result of a simulated listing, compared with pages that are
// requested by 64 requests which are never idle.
type outcome struct {
	trips, ideal float64 // round trips
	more         float64 // calls than pages, a part of the pages
}

func listed(t *testing.T, b *keygen.Bucket, last *stocktake.Summary) (o outcome) {
	const requests = 64
	table, trips, calls := simulate(b, requests, last, math.Inf(1))
	pages := float64((b.Rows + 999) / 1000)
	sum := int64(0)
	for r := table.First(); r != nil; r = r.Next() {
		sum += r.Rows
	}
	if sum != b.Rows {
		t.Errorf("%d rows of %d", sum, b.Rows)
	}
	o = outcome{trips: trips, ideal: pages / requests, more: float64(calls)/pages - 1}
	t.Logf("%.0f pages, %d calls (%+.1f %%), %.1f round trips, %.2f times the ideal", pages, calls, 100*o.more, o.trips, o.trips/o.ideal)
	return o
}

// A million rows take at most 45 round trips of 64 requests, where sequential
// requests take 1,000. From ten million rows on, at most two calls in a hundred are
// in vain, and requests are not idle for most of the time. ROWS makes the test print
// the figures of a bucket of another size.
func TestWithoutReport(t *testing.T) {
	if n, err := strconv.ParseInt(os.Getenv("ROWS"), 10, 64); err == nil {
		shapes(t, n, func(t *testing.T, b *keygen.Bucket) { listed(t, b, nil) })
		return
	}
	shapes(t, 1_000_000, func(t *testing.T, b *keygen.Bucket) {
		o := listed(t, b, nil)
		if o.trips > 45 && b.Versions == 1 {
			t.Errorf("%.0f round trips", o.trips)
		}
		if o.more > 0.35 {
			t.Errorf("%.1f %% more calls", 100*o.more)
		}
	})
	shapes(t, 10_000_000, func(t *testing.T, b *keygen.Bucket) {
		o := listed(t, b, nil)
		if o.more > 0.02 {
			t.Errorf("%.1f %% more calls", 100*o.more)
		}
		if o.trips > 3*o.ideal && b.Versions == 1 {
			t.Errorf("%.0f round trips", o.trips)
		}
	})
}

// summaryOf returns the summary of a report of b with piece rows in each piece.
func summaryOf(b *keygen.Bucket, piece int64) *stocktake.Summary {
	s := &stocktake.Summary{Listed: b.Rows, Matched: b.Rows}
	key := func(i int64) string { return url.PathEscape(string(b.AppendKey(nil, i))) }
	const shard = 1_000_000
	for from := int64(0); from < b.Rows; from += shard {
		f := stocktake.SummaryFile{Rows: min(shard, b.Rows-from), FirstKey: key(from)}
		f.LastKey = key(from + f.Rows - 1)
		for at := int64(0); at < f.Rows; at += piece {
			f.Pieces = append(f.Pieces, stocktake.SummaryPiece{Row: at, FirstKey: key(from + at)})
		}
		s.Files = append(s.Files, f)
	}
	return s
}

// With the summary of the last report, which has every 32,768th key, a listing takes
// at most one and a half times as long as requests that are never idle.
func TestWithReport(t *testing.T) {
	for _, rows := range []int64{1_000_000, 3_000_000} {
		shapes(t, rows, func(t *testing.T, b *keygen.Bucket) {
			if b.Versions > 1 {
				t.Skip("the versions of a key are listed one page after another")
			}
			if o := listed(t, b, summaryOf(b, 1<<15)); o.trips > 1.5*o.ideal {
				t.Errorf("%.1f round trips", o.trips)
			}
		})
	}
}

// An outdated report does no harm: all keys are found, and the listing is not much
// slower than without it.
func TestWithOldReport(t *testing.T) {
	for _, old := range []int64{10_000, 300_000, 3_000_000} {
		shapes(t, 1_000_000, func(t *testing.T, b *keygen.Bucket) {
			was, err := keygen.New(b.Shape, old)
			if err != nil {
				t.Fatal(err)
			}
			if o := listed(t, b, summaryOf(was, 1<<15)); o.trips > 80 && b.Versions == 1 {
				t.Errorf("%.1f round trips", o.trips)
			}
		})
	}
}
