package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// TestQueueIsFair checks that a queue returns the pushed runs, those of each bucket in
// order, and that no bucket waits for more than one turn of every other bucket.
func TestQueueIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		pushed := map[string][]string{} // by bucket and urgency
		n := rapid.IntRange(0, 60).Draw(t, "runs")
		for i := range n {
			w := waiting{
				id:     fmt.Sprint(i),
				bucket: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "bucket"),
				urgent: rapid.Bool().Draw(t, "urgent"),
			}
			line := fmt.Sprint(w.bucket, w.urgent)
			pushed[line] = append(pushed[line], w.id)
			q.push(w)
		}
		for _, bucket := range []string{"a", "b"} {
			which := rapid.IntRange(0, 4).Draw(t, "dropped of "+bucket)
			drop := func(id string) bool { i, _ := strconv.Atoi(id); return i%4 == which || which == 4 && i%2 == 0 }
			want := 0
			for _, line := range []string{bucket + "true", bucket + "false"} {
				before := len(pushed[line])
				pushed[line] = slices.DeleteFunc(pushed[line], drop)
				want += before - len(pushed[line])
			}
			if got := q.drop(bucket, func(w *waiting) bool { return drop(w.id) }); got != want {
				t.Fatalf("%d of %s are dropped, want %d", got, bucket, want)
			}
			n -= want
		}
		waited := map[string]int{} // runs of the same urgency taken since the line's last
		urgent, left := 0, map[bool]int{}
		for line, ids := range pushed {
			left[line[1:] == "true"] += len(ids)
		}
		for range n {
			w, ok := q.pop(idle)
			if !ok {
				t.Fatal("the queue is empty too early")
			}
			line := fmt.Sprint(w.bucket, w.urgent)
			if pushed[line][0] != w.id {
				t.Fatalf("of %s came %s before %s", line, w.id, pushed[line][0])
			}
			pushed[line] = pushed[line][1:]
			left[w.urgent]--
			for other, ids := range pushed {
				if other[1:] != line[1:] || other == line || len(ids) == 0 {
					continue
				}
				if waited[other]++; waited[other] > 2 {
					t.Fatalf("%s waited for %d runs of other buckets", other, waited[other])
				}
			}
			waited[line] = 0
			if urgent++; !w.urgent {
				urgent = 0
			}
			if urgent > 3 && left[false] > 0 {
				t.Fatalf("%d urgent runs on end, while %d scheduled ones wait", urgent, left[false])
			}
		}
		if _, ok := q.pop(idle); ok {
			t.Fatal("the queue returned more than was pushed")
		}
	})
}

func TestQueueForgetsWhatItGave(t *testing.T) {
	q := newQueue()
	for range 3 {
		for i := range 1000 {
			q.push(waiting{id: fmt.Sprint(i), bucket: fmt.Sprint(i % 10)})
		}
		for range 500 {
			q.pop(idle)
		}
		for i := range 10 {
			q.drop(fmt.Sprint(i), func(*waiting) bool { return true })
		}
	}
	if n := len(q.scheduled.byName); n != 0 || q.scheduled.order.Len() != 0 || q.scheduled.len != 0 {
		t.Errorf("an empty queue holds %d buckets", n)
	}
}

// idle reports no bucket as busy.
func idle(string) bool { return false }

// Runs of a busy bucket are left, in both halves of the queue; take removes all of a
// bucket, urgent ones first, and they need no place.
func TestQueueOfBusyBuckets(t *testing.T) {
	l := lanes{}
	for i, bucket := range []string{"a", "b", "a"} {
		l.push(waiting{id: fmt.Sprint("scheduled-", i), bucket: bucket, lane: bucket})
		l.push(waiting{id: fmt.Sprint("urgent-", i), bucket: bucket, lane: bucket, urgent: true})
	}
	busy := func(bucket string) bool { return bucket == "a" }
	for _, want := range []string{"urgent-1", "scheduled-1"} {
		if w, ok := l.pop(2, busy); !ok || w.id != want {
			t.Errorf("%+v, %v, want %s", w, ok, want)
		}
	}
	if w, ok := l.pop(5, busy); ok {
		t.Errorf("%+v of a busy bucket", w)
	}
	first, _ := l.pop(1, idle)
	var ids []string
	for _, w := range l.take("a") {
		ids = append(ids, w.id)
	}
	if want := []string{"urgent-2", "scheduled-0", "scheduled-2"}; first.id != "urgent-0" || !slices.Equal(ids, want) {
		t.Errorf("%s, then %q, want %q", first.id, ids, want)
	}
	l.leave(&first)
	if l["a"] != nil || l.len() != 0 {
		t.Errorf("%+v is left", l)
	}
}
