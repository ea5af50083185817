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
		var begun, open int64
		p := newPace(&Options{Share: 0.1, Requests: func() (int64, int64) { return begun, open }})
		rests := func(of string, after, want time.Duration) {
			t.Helper()
			time.Sleep(after)
			start := time.Now()
			if err := p.step(t.Context()); err != nil || time.Since(start).Round(time.Microsecond) != want {
				t.Errorf("%s: %v after a rest of %v, want %v", of, err, time.Since(start), want)
			}
		}
		for range 100 {
			rests("no requests", time.Millisecond, 0)
		}
		begun, open = 1, 1
		rests("one that is open", time.Millisecond, 9*time.Millisecond)
		rests("one that is still open", time.Millisecond, 9*time.Millisecond)
		rests("a batch that waited for a disk for an hour", time.Hour, 180*time.Millisecond)
		open = 0
		rests("one that was answered before", time.Millisecond, 0)
		begun = 5
		rests("some that came and went", time.Millisecond, 9*time.Millisecond)
		rests("no more requests", time.Millisecond, 0)
	})
}
