package cluster

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
)

// Slices of a run read the summary of the last report once in a process, also if there is none,
// and again after a failure or a while.
func TestPrevious(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p previous
		reads := 0
		ask := func(run string, s *stocktake.Summary, fail error) (*stocktake.Summary, error) {
			return p.of(run, func() (*stocktake.Summary, error) {
				reads++
				time.Sleep(time.Second)
				return s, fail
			})
		}
		failed := errors.New("no answer")
		if _, err := ask("a", nil, failed); !errors.Is(err, failed) {
			t.Error(err)
		}
		last := &stocktake.Summary{Listed: 3}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if s, err := ask("a", last, nil); s != last || err != nil {
					t.Error(s, err)
				}
			})
		}
		all.Wait()
		for range 2 {
			if s, err := ask("b", nil, nil); s != nil || err != nil {
				t.Error(s, err)
			}
		}
		if reads != 3 {
			t.Errorf("%d reads", reads)
		}
		time.Sleep(2 * previousKept)
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.runs) > 0 {
			t.Errorf("%d runs are still remembered", len(p.runs))
		}
	})
}
