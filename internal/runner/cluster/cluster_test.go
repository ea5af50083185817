package cluster_test

import (
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// Several processes share the slices of a run, and the report is that of one.
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
	if most := w.far.Stats().Most; most > 12 {
		t.Errorf("%d requests at once by three processes with four each", most)
	}
	t.Log(w.far.Stats())
}
