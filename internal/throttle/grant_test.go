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
			rate   float64
			places int
		}{{0, 4}, {10, 0}} {
			g.Grant(none.rate, none.places)
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
				t.Errorf("%d places, want 2", most)
			}
		}
	})
}
