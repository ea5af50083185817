package throttle

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A request waits while the process has no share, and begins when it gets one.
func TestGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(server(func(*http.Request) (*http.Response, error) { return respond(200), nil }), Limits{PerSecond: 100, Concurrency: 8})
		for _, none := range []struct {
			rate        float64
			concurrency int
		}{{0, 4}, {10, 0}} {
			g.Grant(none.rate, none.concurrency)
			done := make(chan error, 1)
			go func() {
				resp, err := g.RoundTrip(get(t.Context(), t))
				if err == nil {
					err = resp.Body.Close()
				}
				done <- err
			}()
			time.Sleep(time.Hour)
			select {
			case <-done:
				t.Fatalf("a request was sent with %+v", none)
			default:
			}
			if d := g.Demand(); !d.Wanted() || d.InFlight != 0 || d.Most != 0 {
				t.Errorf("with a request that waits: %+v", d)
			}
			g.Grant(10, 2)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if d := g.Demand(); !d.Wanted() || d.Sent != 1 || d.Most != 1 {
				t.Errorf("after a request: %+v", d)
			}
			if g.Demand().Wanted() {
				t.Error("without a request there is demand")
			}
			if most := g.Stats().Limit; most != 2 {
				t.Errorf("%d slots, want 2", most)
			}
		}
	})
}

// Useful requests reach the limit, so that it grows, and show that a process needs more than
// its share. At the limit of the store, no request waits.
func TestUseful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(server(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Millisecond)
			return respond(200), nil
		}), Limits{Concurrency: 64})
		list := func() (pressed bool) {
			busy := 0
			ended := make(chan error)
			for n := range 2000 {
				for busy < g.Useful() {
					busy++
					go func() {
						resp, err := g.RoundTrip(get(t.Context(), t))
						if err == nil {
							err = resp.Body.Close()
						}
						ended <- err
					}()
				}
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				busy--
				select {
				case <-g.Pressed():
					pressed = pressed || n >= 1000 // the limit is reached by then
				default:
				}
			}
			for range busy {
				<-ended
			}
			return pressed
		}
		for _, c := range []struct {
			part    int
			pressed bool
		}{{8, true}, {1, true}, {64, false}} {
			g.Grant(0, c.part)
			if got := list(); got != c.pressed {
				t.Errorf("with %d of 64 slots: pressed %v", c.part, got)
			}
			if got := g.Stats().Limit; got != c.part {
				t.Errorf("with %d of 64 slots: %d at once", c.part, got)
			}
		}
	})
}
