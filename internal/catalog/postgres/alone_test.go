package postgres_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

// One process at a time does the exclusive work, and another one takes over when it
// ends.
func TestAlone(t *testing.T) {
	address := database(t)
	var at atomic.Int64
	begun := make(chan int, 2)
	var ends [2]context.CancelFunc
	var wg sync.WaitGroup
	for i := range ends {
		ctx, cancel := context.WithCancel(t.Context())
		ends[i] = cancel
		db := open(t, address).Database()
		wg.Go(func() {
			err := db.Alone(ctx, "notices", func(ctx context.Context) error {
				if at.Add(1) > 1 {
					t.Error("two processes are at work")
				}
				begun <- i
				<-ctx.Done()
				at.Add(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	first := <-begun
	ends[first]()
	if second := <-begun; second == first {
		t.Error("a process that has ended went on")
	}
	ends[1-first]()
	wg.Wait()
}
