package throttle

import (
	"container/heap"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite golden files")

// flights are the times at which requests in flight end.
type flights []answer

func (f flights) Len() int           { return len(f) }
func (f flights) Less(i, j int) bool { return f[i].ended.Before(f[j].ended) }
func (f flights) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)        { *f = append(*f, x.(answer)) }
func (f *flights) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}

// simulate runs a controller against a store whose answers take 20 ms. They take
// longer if more requests are in flight than the store's capacity at the time, and
// the store refuses requests beyond its queue. There is always another request to
// make. The result has a line for each second.
func simulate(most int, seconds int, capacity, queue func(second int) int) (trace string, refused int) {
	const latency = 20 * time.Millisecond
	begin := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	c := newController(most)
	var inFlight flights
	send := func(now time.Time) {
		for len(inFlight) < c.allowed() {
			second := int(now.Sub(begin) / time.Second)
			a := answer{began: now, ended: now.Add(latency), timed: true, full: len(inFlight)+1 >= c.allowed()}
			if over := len(inFlight) + 1; over > queue(second) {
				a.ended, a.overloaded = now.Add(time.Millisecond), true
			} else if over > capacity(second) {
				a.ended = now.Add(latency * time.Duration(over) / time.Duration(capacity(second)))
			}
			heap.Push(&inFlight, a)
		}
	}
	var b strings.Builder
	answers, pains := 0, 0
	next := begin.Add(time.Second)
	for send(begin); len(inFlight) > 0; {
		a := heap.Pop(&inFlight).(answer)
		for ; !a.ended.Before(next); next = next.Add(time.Second) {
			second := int(next.Sub(begin) / time.Second)
			fmt.Fprintf(&b, "%3d s: limit %2d, answered %4d, refused %2d\n", second, c.allowed(), answers, pains)
			refused += pains
			if answers, pains = 0, 0; second == seconds {
				return b.String(), refused
			}
		}
		if answers++; a.overloaded {
			pains++
			answers--
		}
		c.observe(a)
		send(a.ended)
	}
	panic("no request is in flight")
}

// The number of requests in flight follows the load of a store: it finds the
// capacity, yields it when other users take most of it, and takes it back. The
// traces are golden files.
func TestTraces(t *testing.T) {
	const seconds = 60
	busy := func(second int) int {
		if second >= 20 && second < 40 {
			return 6
		}
		return 32
	}
	double := func(of func(int) int) func(int) int { return func(s int) int { return 2 * of(s) } }
	for name, tt := range map[string]struct {
		most            int
		capacity, queue func(int) int
		ends            [3]int // least limit in the last part of each third
		middle          int    // greatest limit in the last part of the second third
	}{
		"store that refuses":       {64, busy, busy, [3]int{16, 3, 16}, 12},
		"store that becomes slow":  {64, busy, double(double(busy)), [3]int{32, 6, 32}, 24},
		"store that bears it all":  {64, func(int) int { return 1000 }, func(int) int { return 1000 }, [3]int{64, 64, 64}, 64},
		"store that bears nothing": {64, func(int) int { return 1 }, func(int) int { return 0 }, [3]int{1, 1, 1}, 1},
	} {
		trace, refused := simulate(tt.most, seconds, tt.capacity, tt.queue)
		file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".trace")
		if *update {
			if err := os.WriteFile(file, []byte(trace), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || string(want) != trace {
			t.Errorf("%s: %v, -update if this is right:\n%s", name, err, trace)
		}
		lines := strings.Split(trace, "\n")
		for third, least := range tt.ends {
			var second, limit int
			line := lines[(third+1)*seconds/3-1]
			if _, err := fmt.Sscanf(line, "%d s: limit %d", &second, &limit); err != nil {
				t.Fatal(err)
			}
			if limit < least || third == 1 && limit > tt.middle {
				t.Errorf("%s: %s: want a limit of at least %d, and at most %d in the middle", name, line, least, tt.middle)
			}
		}
		t.Logf("%s: %d refused", name, refused)
	}
}
