package cluster_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/runner/cluster"
)

// Runs that one process records are held by all, each by one and once.
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
	holders := map[string]bool{}
	w.until("the end of all runs", func() bool {
		for _, host := range w.query(a, `SELECT DISTINCT p.host FROM runs r JOIN processes p ON p.id = r.owner WHERE r.ended = 0`) {
			holders[host] = true
		}
		return w.query(a, `SELECT count(*)::text FROM runs WHERE ended = 0`)[0] == "0"
	})
	for _, id := range runs {
		r, err := a.catalog.Run(t.Context(), id)
		if err != nil || r.State != stocktake.Succeeded || r.Attempt != 1 || r.Listed != w.rows {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if len(holders) != 3 {
		t.Errorf("the runs were held by %v", holders)
	}
}

// The holder of a run is notified of its end, and of the steps that it must take
// before. It does not poll before the test ends.
func TestHolderNotified(t *testing.T) {
	w := newWorld(t, "hashed", 3_000)
	w.watch = 24 * time.Hour
	holder := w.start("holder", w.address, 0)
	w.start("worker", w.address, 2)
	w.checkReport(w.ended(holder, w.put(holder, "all", "")))
	w.broken.Store(true)
	if r := w.ended(holder, w.put(holder, "refused", "")); r.State != stocktake.Failed {
		t.Errorf("%+v", r)
	}
}

// One process records due runs. Another one takes over when it ends, or is cut off.
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

// A process that stalls during its beat, with the locks of the beat, does not keep
// other processes from renewing their leases, or from starting.
func TestBeatsDoNotWait(t *testing.T) {
	w := newWorld(t, "hashed", 10)
	share := new(limited)
	w.stores = []cluster.Store{share}
	a := w.start("a", w.address, 0)
	w.until("its share", func() bool { _, concurrency := share.get(); return concurrency > 0 })

	still, err := a.catalog.Database().Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer still.Rollback(t.Context())
	for _, lock := range []string{
		`SELECT 1 FROM duties FOR UPDATE`,
		`SELECT 1 FROM store_divisions FOR UPDATE`,
	} {
		if _, err := still.Exec(t.Context(), lock); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(host string) int {
		n, _ := strconv.Atoi(strings.Join(w.query(a, `SELECT seen::text FROM processes WHERE host = $1`, host), ""))
		return n
	}
	before := seen("a")
	b := w.start("b", w.address, 0)
	w.until("beats of both", func() bool { return seen("a") > before && seen("b") > 0 })
	if b.runner.Schedules() {
		t.Error("b records runs while a does")
	}
}
