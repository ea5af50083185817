package cluster_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// Every process reports the same work.
func TestWork(t *testing.T) {
	w := newWorld(t, "hashed", 30_000)
	w.far.Latency = 300 * time.Millisecond
	holder := w.start("holder", w.address, 0)
	b := w.start("b", w.address, 1)
	c := w.start("c", w.address, 1)
	run := w.put(holder, "all", "")
	var got stocktake.Work
	w.until("b and c work on slices", func() bool {
		var err error
		if got, err = b.Work(t.Context(), "photos", "all"); err != nil {
			t.Fatal(err)
		}
		if r, err := holder.catalog.Run(t.Context(), run); err != nil || r.State.Ended() {
			t.Fatalf("%+v, %v: it has ended before both were seen", r, err)
		}
		working := map[string]bool{}
		for _, r := range got.Runs {
			if r.Done == 0 {
				continue
			}
			for _, task := range r.Tasks {
				if task.Kind == stocktake.TaskSlice && task.State == stocktake.TaskWorking {
					working[task.Name] = true
				}
			}
		}
		return working["b"] && working["c"]
	})
	if len(got.Machines) != 3 || len(got.Runs) != 1 || got.Waiting != 0 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []struct {
		name   string
		slices int
	}{{"b", 1}, {"c", 1}, {"holder", 0}} {
		m := got.Machines[i]
		if m.Name != want.name || m.Slices != want.slices || m.Version != "v1" || m.ID == "" || !slices.Equal(m.Roles, []string{"worker", "scheduler"}) ||
			m.Started.IsZero() || m.Seen.Before(m.Started) {
			t.Errorf("%+v, want %+v", m, want)
		}
	}
	r := got.Runs[0]
	if r.Run.ID != run || r.Run.State != stocktake.Scanning || r.Done == 0 {
		t.Errorf("%+v", r)
	}
	for _, task := range r.Tasks {
		if task.Attempt < 1 || task.Since.IsZero() || task.State == stocktake.TaskWorking && (task.Machine == "" || task.Name == "") {
			t.Errorf("%+v", task)
		}
	}
	if other, err := c.Work(t.Context(), "other", ""); err != nil || len(other.Runs) != 0 || len(other.Machines) != 3 {
		t.Errorf("%+v, %v", other, err)
	}
	w.checkReport(w.ended(holder, run))
	c.stop()
	w.until("c is gone", func() bool {
		got, err := b.Work(t.Context(), "", "")
		return err == nil && len(got.Machines) == 2 && len(got.Runs) == 0
	})
}
