package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	for _, share := range []float64{0.01, 0.25, 0.5, 0.9, 1} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var worked time.Duration
			for p := newPace(&Options{Share: share}); worked < 10*time.Second; {
				const batch = 300 * time.Microsecond
				time.Sleep(batch)
				worked += batch
				if err := p.step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := float64(worked) / float64(time.Since(start)); got < share*0.99 || got > share*1.01 {
				t.Errorf("with share %v the worker worked %.3f of the time", share, got)
			}
		})
	}
}

func TestPaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		p := newPace(&Options{Share: 0.001})
		time.Sleep(10 * time.Millisecond) // for which it would rest 10 s
		start := time.Now()
		if err := p.step(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2990*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestPaceRestsOnlyForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := false
		p := newPace(&Options{Share: 0.1, Busy: func() bool { return busy }})
		for range 100 {
			time.Sleep(time.Millisecond)
			start := time.Now()
			if err := p.step(t.Context()); err != nil || time.Since(start) > 0 {
				t.Fatalf("%v after a rest of %v, with nobody there", err, time.Since(start))
			}
		}
		busy = true
		time.Sleep(time.Millisecond)
		start := time.Now()
		if err := p.step(t.Context()); err != nil || time.Since(start).Round(time.Microsecond) != 9*time.Millisecond {
			t.Errorf("%v after a rest of %v, want 9ms", err, time.Since(start))
		}
		time.Sleep(time.Hour) // waited for a disk
		start = time.Now()
		if err := p.step(t.Context()); err != nil || time.Since(start) > 200*time.Millisecond {
			t.Errorf("%v after a rest of %v", err, time.Since(start))
		}
	})
}
