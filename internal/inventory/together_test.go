package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// A sharer is a runner that records which runs it has to make together.
type sharer struct {
	*runner
	mu     sync.Mutex
	groups [][]string // ids of configurations
}

func (s *sharer) RunTogether(contexts []context.Context, tasks []inventory.Task, ended func(int, inventory.Outcome, error)) {
	var ids []string
	for i := range tasks {
		ids = append(ids, tasks[i].Configuration.ID)
	}
	slices.Sort(ids)
	s.mu.Lock()
	s.groups = append(s.groups, ids)
	s.mu.Unlock()
	var all sync.WaitGroup
	for i := range tasks {
		all.Go(func() {
			o, err := s.Run(contexts[i], tasks[i])
			ended(i, o, err)
		})
	}
	all.Wait()
}

func (s *sharer) taken() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := s.groups
	s.groups = nil
	return groups
}

// Runs of a bucket on another store that are due together are made together,
// whatever the number of places and the spread, and each ends as it would by itself.
// Runs requested meanwhile join the next ones.
func TestRunsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{MaxRuns: 2, Spread: time.Hour})
		s := &sharer{runner: w.runner}
		w.engine = s
		w.close()
		w.open()
		w.buckets.moveTo("lake", nil, "logs")
		w.serve()
		w.runner.set(hang)
		ids := []string{"0", "1", "2", "3", "4"}
		for _, id := range ids {
			w.put("logs", configuration(id, daily))
			w.put("photos", configuration(id, daily))
			synctest.Wait()
		}
		if l := w.Load(); l.Running != 3 || l.Waiting != 7 || len(s.taken()) > 0 { // one lists logs
			t.Errorf("%+v", l)
		}
		if err := w.Delete(t.Context(), "logs", "0"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := s.taken(); len(got) != 1 || !slices.Equal(got[0], ids[1:]) {
			t.Errorf("together are %q", got)
		}
		if _, err := w.Cancel(t.Context(), "logs", "3"); err != nil {
			t.Error(err)
		}
		if l := w.Load(); l.Running != 5 {
			t.Errorf("one was cancelled: %+v", l)
		}
		w.close() // the rest restarts, together
		w.runner.set(func(ctx context.Context, task inventory.Task) (inventory.Outcome, error) {
			if task.Configuration.ID == "2" && task.Run.Bucket == "logs" {
				return inventory.Outcome{}, errors.New("boom")
			}
			return publish(ctx, task)
		})
		w.open()
		w.serve()
		synctest.Wait()
		if got := s.taken(); len(got) != 1 || !slices.Equal(got[0], []string{"1", "2", "4"}) {
			t.Errorf("after a restart, together are %q", got)
		}
		for id, want := range map[string]stocktake.RunState{"1": stocktake.Succeeded, "2": stocktake.Failed, "3": stocktake.Cancelled, "4": stocktake.Succeeded} {
			if got := w.history("logs", id); !slices.Equal(got, []stocktake.RunState{want}) {
				t.Errorf("%s: %v, want %v", id, got, want)
			}
		}
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		if got := fmt.Sprint(s.taken()); got != "[[1 2 3 4]]" && got != "[[1 2 3 4] [1 2 3 4]]" {
			t.Errorf("the next day, together are %s", got)
		}
		w.close()
	})
}
