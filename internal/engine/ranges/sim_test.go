package ranges

import (
	"container/heap"
	"math"
	"math/rand/v2"
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

// simulate lists b with so many requests at once; each takes 1, give or take a
// little.
func simulate(b *keygen.Bucket, requests int, last *stocktake.Summary, within float64) (t *Table, took float64, calls int) {
	t = New([]Range{{}}, last)
	rng := rand.New(rand.NewPCG(1, 2))
	var queue events
	now := 0.0
	running := 0
	row := map[*Range]int64{}
	send := func(r *Range) {
		if _, ok := row[r]; !ok {
			row[r] = b.From(r.From)
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
			end = b.From(r.To)
		}
		n := min(1000, end-from)
		more := from+1000 < end
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

// A million rows take at most 60 round trips of 64 requests, where one after the
// other takes 1,000, and ten million at most twice the time of requests that are
// never idle. ROWS=10000000 makes the test print what a bucket of that size takes.
func TestSimulate(t *testing.T) {
	rows := int64(1_000_000)
	if n, err := strconv.ParseInt(os.Getenv("ROWS"), 10, 64); err == nil {
		rows = n
	}
	for _, shape := range keygen.Shapes {
		b, err := keygen.New(shape, rows)
		if err != nil {
			t.Fatal(err)
		}
		table, took, calls := simulate(b, 64, nil, math.Inf(1))
		pages := (rows + 999) / 1000
		sum := int64(0)
		for r := table.First(); r != nil; r = r.Next() {
			sum += r.Rows
		}
		t.Logf("%-8s %d pages, %d calls (%+.1f %%), %.0f round trips, at best %.0f",
			shape, pages, calls, 100*float64(int64(calls)-pages)/float64(pages), took, float64(pages)/64)
		if sum != rows {
			t.Errorf("%s: %d rows of %d", shape, sum, rows)
		}
		if most := max(60, 2*float64(pages)/64); took > most && shape != "deep" {
			t.Errorf("%s took %.0f round trips, at most %.0f", shape, took, most)
		}
	}
}
