package load

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestHistogram: a recorded duration is returned at most 1/64 too small, and the
// order of durations is that of their slots.
func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		a := time.Duration(rng.Uint64() >> (1 + i%63))
		b := a + time.Duration(rng.Uint64()>>(1+rng.IntN(63)))
		if b < a { // it is too large for a duration
			continue
		}
		if got := least(slot(a)); got > a || a-got > a/64 {
			t.Fatalf("%d comes back as %d", a, got)
		}
		if slot(a) > slot(b) {
			t.Fatalf("%d is in slot %d, %d in %d", a, slot(a), b, slot(b))
		}
	}
	var h histogram
	h.add(time.Hour)
	h.add(time.Nanosecond)
	if h.count() != 2 || h.at(0) != time.Nanosecond || h.at(1) != least(slot(time.Hour)) {
		t.Errorf("%v and %v", h.at(0), h.at(1))
	}
}
