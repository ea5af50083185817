package cluster_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// fails makes the store unreachable once half of the rows have been scanned, and waits
// until the run waits to be tried again, or has ended. The pauses of its tasks are cut
// short.
func (w *world) fails(p *process, run string) (r stocktake.Run) {
	w.t.Helper()
	w.until("half of the rows", func() bool {
		listed := w.query(p, `SELECT coalesce(sum(listed), 0)::text FROM tasks WHERE kind = 'slice' AND done = 1`)
		n, err := strconv.ParseInt(listed[0], 10, 64)
		return err == nil && n >= w.rows/2
	})
	w.away.Store(true)
	w.until("the failure", func() bool {
		w.query(p, `UPDATE tasks SET due = 0 WHERE due > 0 AND done = 0 RETURNING id::text`)
		// Asked first: the run read after it is at least as new.
		postponed := len(w.query(p, `SELECT id FROM runs WHERE id = $1 AND owner = $2`, run, inventory.Postponed)) > 0
		var err error
		if r, err = p.catalog.Run(w.t.Context(), run); err != nil {
			w.t.Fatal(err)
		}
		return postponed || r.State.Ended()
	})
	return r
}

// A run whose store was unreachable resumes later where it stopped, even if the
// process that held it has ended: nothing is scanned twice, no generation is used
// twice, and the due time of the run stays.
func TestTriedAgain(t *testing.T) {
	w := newWorld(t, "hashed", 20_000)
	holder := w.start("holder", w.address, 0)
	first := w.put(holder, "all", "")
	w.held(holder, first)
	w.start("worker", w.address, 2)
	begun, err := holder.catalog.Run(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	failed := w.fails(holder, first)
	if failed.State != stocktake.Queued || failed.Attempt != 2 || !strings.Contains(failed.Reason, "the store is away; trying again at ") {
		t.Fatalf("%+v", failed)
	}
	if files := w.files(); len(files) == 0 {
		t.Error("what was scanned is gone")
	}
	w.query(holder, `CREATE TABLE before AS SELECT id, generation FROM tasks WHERE done = 0`)
	holder.stop()
	next := w.start("next", w.address, 0)
	listed := w.far.Stats().Pages
	w.query(next, `UPDATE runs SET lease = 1 WHERE id = $1 RETURNING id`, first) // a minute has passed
	w.until("the work to be reopened", func() bool { return len(w.query(next, `SELECT run FROM works WHERE stopped = 0`)) > 0 })
	if again := w.query(next, `SELECT t.id::text FROM tasks t JOIN before b ON b.id = t.id WHERE t.generation <= b.generation`); len(again) > 0 {
		t.Errorf("generations of tasks %v are used again", again)
	}
	w.away.Store(false)
	r := w.ended(next, first)
	w.checkReport(r)
	if r.Attempt != 2 || !r.Due.Equal(begun.Due) {
		t.Errorf("%+v, due at first: %s", r, begun.Due)
	}
	if pages := w.far.Stats().Pages - listed; pages >= w.rows/1000 {
		t.Errorf("%d pages were listed again, of a bucket of %d", pages, w.rows/1000)
	}
}

// A run that fails and is not tried again leaves nothing, even if the reason may pass.
func TestNotTriedAgain(t *testing.T) {
	w := newWorld(t, "hashed", 20_000)
	holder := w.start("holder", w.address, 0)
	run := w.put(holder, "all", "")
	w.held(holder, run)
	w.start("worker", w.address, 2)
	if _, _, err := holder.Replace(t.Context(), "photos", w.configuration("all", "other/")); err != nil {
		t.Fatal(err)
	}
	r := w.fails(holder, run)
	if r.State != stocktake.Failed || r.Attempt != 1 {
		t.Errorf("%+v", r)
	}
	w.until("the files to be removed", func() bool { return len(w.files()) == 0 })
	w.until("the work to be forgotten", func() bool { return len(w.query(holder, `SELECT run FROM works`)) == 0 })
}
