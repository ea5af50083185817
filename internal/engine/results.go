package engine

import (
	"context"
	"fmt"
)

// Results are those of all slices of a run. There may be more than fit into memory:
// the roll-ups of ten thousand slices take gigabytes.
type Results interface {
	// Reaches yields the range that each result has read, in an order that InOrder
	// knows.
	Reaches(ctx context.Context, yield func(Reach) error) error

	// InOrder yields the results with the given numbers, in that order. Results are
	// numbered from 0 in the order of Reaches. When yield returns, the callee may
	// reuse the result, except for its Files.
	InOrder(ctx context.Context, numbers []int, yield func(*SliceResult) error) error
}

// A Reach is the part of a segment that a slice has read: some of the fields of a
// [SliceResult], with the same JSON.
type Reach struct {
	Slice  Slice
	Next   Cursor
	Done   bool
	Listed int64
	Files  []struct{} // one for each
}

// Reach returns the part that r has read.
func (r *SliceResult) Reach() Reach {
	return Reach{Slice: r.Slice, Next: r.Next, Done: r.Done, Listed: r.Listed, Files: make([]struct{}, len(r.Files))}
}

// empty reports whether the slice stopped where it begins, so that its rest begins
// there as well.
func (r *Reach) empty() bool {
	if r.Done || r.Listed > 0 || len(r.Files) > 0 {
		return false
	}
	at, rest := r.Slice.Segment, r.Next.Rest(r.Slice.Segment)
	return rest.From == at.From && rest.After == at.After
}

// listed are results in memory.
type listed []SliceResult

func (l listed) Reaches(_ context.Context, yield func(Reach) error) error {
	for i := range l {
		if err := yield(l[i].Reach()); err != nil {
			return err
		}
	}
	return nil
}

func (l listed) InOrder(_ context.Context, numbers []int, yield func(*SliceResult) error) error {
	for _, n := range numbers {
		if err := yield(&l[n]); err != nil {
			return err
		}
	}
	return nil
}

// place is where a slice begins.
type place struct{ from, after string }

// link is the part of a Reach that is kept to find the order of all.
type link struct {
	number int
	next   place // where what follows begins
	last   bool  // nothing follows
}

// chain returns the numbers of the results in the order of their keys. It returns an
// error unless they read each record under prefix exactly once.
func chain(ctx context.Context, prefix string, results Results) ([]int, error) {
	begins := map[place]link{}
	n := 0
	err := results.Reaches(ctx, func(r Reach) error {
		l := link{number: n}
		n++
		seg := &r.Slice.Segment
		if seg.Prefix != prefix {
			return fmt.Errorf("a slice has prefix %.200q, want %.200q", seg.Prefix, prefix)
		}
		if r.empty() {
			return nil
		}
		if r.Done {
			l.next, l.last = place{from: seg.To}, seg.To == ""
		} else {
			rest := r.Next.Rest(*seg)
			l.next = place{rest.From, rest.After}
		}
		at := place{seg.From, seg.After}
		if _, twice := begins[at]; twice {
			return fmt.Errorf("two slices begin at key %.200q", seg.From)
		}
		begins[at] = l
		return nil
	})
	if err != nil {
		return nil, err
	}
	order := make([]int, 0, len(begins))
	for at := (place{}); ; {
		l, ok := begins[at]
		if !ok {
			return nil, fmt.Errorf("the slices do not cover the keys from %.200q", at.from)
		}
		delete(begins, at)
		order = append(order, l.number)
		if l.last {
			break
		}
		at = l.next
	}
	for at := range begins {
		return nil, fmt.Errorf("the slice that begins at key %.200q overlaps another one", at.from)
	}
	return order, nil
}
