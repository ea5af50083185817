package load_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake/bench/internal/load"
)

func TestTimeEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, err := load.Load{Clients: 4, For: 10 * time.Second}.Run(t.Context(), func(context.Context, int) error {
			time.Sleep(time.Second)
			return nil
		})
		if err != nil || o.Requests != 40 || o.Took != 10*time.Second || o.P50 > time.Second || o.P50 < time.Second*63/64 || o.PerSecond() != 4 {
			t.Errorf("%+v, %v; want 40 requests in 10 s", o, err)
		}
	})
}

func TestCountEndsIt(t *testing.T) {
	var seen [7]atomic.Bool
	o, err := load.Load{Clients: 3, For: time.Minute, Most: len(seen)}.Run(t.Context(), func(_ context.Context, i int) error {
		if seen[i].Swap(true) {
			return errors.New("a number came twice")
		}
		return nil
	})
	if err != nil || o.Requests != len(seen) {
		t.Errorf("%+v, %v; want %d requests", o, err, len(seen))
	}
}

func TestErrorEndsIt(t *testing.T) {
	want := errors.New("no")
	_, err := load.Load{Clients: 2, For: time.Minute}.Run(t.Context(), func(context.Context, int) error { return want })
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}
