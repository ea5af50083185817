package cluster_test

import (
	"fmt"
	"testing"

	"github.com/stocktake/stocktake"
)

// Runs that one process records are led by all, each by one and once.
func TestRunsSpread(t *testing.T) {
	w := newWorld(t, "hashed", 3_000)
	a := w.start("a", w.address, 1)
	w.start("b", w.address, 1)
	w.start("c", w.address, 1)
	const configurations = 12
	var runs []string
	for i := range configurations {
		runs = append(runs, w.put(a, fmt.Sprint("c", i), ""))
	}
	leads := map[string]bool{}
	w.until("the end of all runs", func() bool {
		for _, host := range w.query(a, `SELECT DISTINCT p.host FROM runs r JOIN processes p ON p.id = r.owner WHERE r.ended = 0`) {
			leads[host] = true
		}
		return w.query(a, `SELECT count(*)::text FROM runs WHERE ended = 0`)[0] == "0"
	})
	for _, id := range runs {
		r, err := a.catalog.Run(t.Context(), id)
		if err != nil || r.State != stocktake.Succeeded || r.Attempt != 1 || r.Listed != w.rows {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if len(leads) != 3 {
		t.Errorf("the runs were led by %v", leads)
	}
}

// One process records what is due. Another one does when it ends, or is cut off.
func TestSchedulerMoves(t *testing.T) {
	w := newWorld(t, "hashed", 10)
	scheduler := func(what string, p *process, before ...*process) {
		t.Helper()
		w.until(what, func() bool {
			for _, p := range before {
				if p.runner.Schedules() {
					return false
				}
			}
			return p.runner.Schedules()
		})
	}
	proxy := server.NewProxy(t)
	a := w.start("a", proxy.Address(t, w.address), 0)
	scheduler("the first", a)
	b := w.start("b", w.address, 0)
	proxy.Cut()
	scheduler("after a was cut off", b, a)
	work, err := b.Work(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range work.Machines {
		if m.Scheduler != (m.Name == "b") {
			t.Errorf("%+v", m)
		}
	}
	proxy.Mend()
	c := w.start("c", w.address, 0)
	a.stop()
	b.stop()
	scheduler("after b has ended", c)
}
