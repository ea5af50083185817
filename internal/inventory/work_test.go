package inventory_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// A single machine answers like several: it lists itself, each of its runs as one task,
// and the number of waiting runs.
func TestWorkOfOneMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, inventory.Options{MaxRuns: 1, Machine: stocktake.Machine{Name: "one", Roles: []string{"worker"}}})
		w.runner.set(hang)
		w.serve()
		w.put("photos", configuration("a", daily))
		w.put("photos", configuration("b", daily))
		synctest.Wait()
		got, err := w.Work(t.Context(), "", "")
		if err != nil || len(got.Machines) != 1 || len(got.Runs) != 1 || got.Waiting != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		m, r := got.Machines[0], got.Runs[0]
		if m.Name != "one" || m.ID == "" || !m.Scheduler || m.Started.IsZero() {
			t.Errorf("%+v", m)
		}
		if len(r.Tasks) != 1 || r.Tasks[0].Listed != 5 || r.Machine != m.ID || r.Tasks[0].Machine != m.ID || r.Tasks[0].Kind != stocktake.TaskRun || r.Tasks[0].Since.IsZero() {
			t.Errorf("%+v", r)
		}
		if got, err := w.Work(t.Context(), "other", ""); err != nil || len(got.Machines) != 1 || len(got.Runs) != 0 || got.Waiting != 0 {
			t.Errorf("another bucket: %+v, %v", got, err)
		}
		if _, err := w.Work(t.Context(), "photos", "unknown"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("unknown: %v", err)
		}
		w.close()
	})
}
