package cluster_test

import (
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// Several processes share the slices of a run, and the report is that of one process.
func TestShared(t *testing.T) {
	w := newWorld(t, "hashed", 30_000)
	w.far.Latency = 300 * time.Millisecond // so that there is something to share
	a := w.start("a", w.address, 1)
	w.start("b", w.address, 1)
	w.start("c", w.address, 1)
	run := w.put(a, "all", "")
	seen := map[string]bool{}
	var r stocktake.Run
	w.until("the end", func() bool {
		for _, host := range w.query(a, `SELECT DISTINCT host FROM tasks WHERE kind = 'slice' AND host <> ''`) {
			seen[host] = true
		}
		var err error
		if r, err = a.catalog.Run(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		return r.State.Ended()
	})
	w.checkReport(r)
	if len(seen) != 3 {
		t.Errorf("the slices were scanned by %v", seen)
	}
	if most := w.far.Stats().MaxInFlight; most > 12 {
		t.Errorf("%d requests at once by three processes with four each", most)
	}
	t.Log(w.far.Stats())
}

// Nothing of a run stays in the database but the run itself, so that the database does
// not grow with the number of runs made.
func TestNothingStays(t *testing.T) {
	w := newWorld(t, "hashed", 1000)
	w.far.Latency = 0
	p := w.start("one", w.address, 1)
	other := w.start("other", w.address, 1)
	w.checkReport(w.ended(p, w.put(p, "all", "")))
	w.ended(p, w.put(p, "none", "no such prefix/"))
	w.until("the work to be forgotten", func() bool {
		return len(w.query(p, `SELECT run FROM works UNION ALL SELECT kind FROM tasks`)) == 0
	})
	if open := w.query(p, `SELECT kind FROM river_job WHERE state IN ('available', 'pending', 'scheduled', 'retryable')`); len(open) > 0 {
		t.Errorf("jobs that wait: %v", open)
	}
	other.stop()
	if names := w.query(p, `SELECT host FROM processes`); len(names) != 1 {
		t.Errorf("processes %v include one that has ended", names)
	}
}
