package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// A breakage is a way in which a worker loses the database or the store.
type breakage struct {
	name            string
	database, store linkState
}

var breakages = []breakage{
	{"database cut", cut, whole},
	{"database silent", silent, whole},
	{"database deaf", deaf, whole},
	{"store cut", whole, cut},
	{"store silent", whole, silent},
	{"store deaf", whole, deaf},
	{"both silent", silent, silent},
}

// A worker loses the database or the store in the midst of a slice. It stops, others
// rescue its slice, and the run ends within three minutes with a right report, while the
// worker is still cut off. When it is back it works again.
func TestCutOff(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	l.fill(t, "photos", 2500)
	template := migrated(t, server)
	for i, b := range breakages {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			testCutOff(newWorld(t, server, server.Copy(t, template), l, fmt.Sprintf("reports-%d", i)), b)
		})
	}
}

func testCutOff(w *world, b breakage) {
	store := newStoreProxy(w.t, w.lake.endpoint)
	toStore, toDatabase := newLink(w.t, "tcp", store.Listener.Addr().String()), newLink(w.t, "unix", w.pg.Socket())
	worker := w.startAt("worker", byWayOf(w.t, w.address, toDatabase.addr()), "http://"+toStore.addr())
	h := w.holdSlice(store)
	w.put(worker, "photos", "all")
	w.reached(h)
	begin := time.Now()
	toStore.set(b.store)
	toDatabase.set(b.database)
	other := w.startAt("other", w.address, w.lake.endpoint)
	if b.store == whole { // it waits for a page until it has no right to it any more
		select {
		case <-h.gone:
			w.t.Logf("the worker has stopped after %v", time.Since(begin).Round(100*time.Millisecond))
		case <-time.After(limit):
			w.t.Error("a worker that is cut off from the database does not stop its work")
		}
	}
	w.ended("photos", "all")
	took := time.Since(begin)
	w.t.Logf("the run has ended %v after the break", took.Round(time.Second))
	if took > 3*time.Minute {
		w.t.Errorf("the run has ended %v after the break, want three minutes at most", took)
	}
	h.release()
	toStore.set(whole)
	toDatabase.set(whole)
	w.oneReport(other, "photos", "all")
	other.stopped()
	if _, err := worker.api().Run(w.t.Context(), "photos", "all"); err != nil {
		w.t.Fatal(err)
	}
	w.ended("photos", "all")
	if runs := w.runs(worker, "photos", "all"); len(runs) != 2 || runs[0].State != stocktake.Succeeded {
		w.t.Errorf("%+v", runs)
	}
	worker.stopped()
	if found := w.checkReports(); len(found) != 2 {
		w.t.Errorf("the reports are %v", found)
	}
}

// On a slow line everything takes longer, and that is all.
func TestSlowLine(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	l.fill(t, "photos", 2500)
	w := newWorld(t, server, migrated(t, server), l, "reports")
	toStore, toDatabase := newLink(t, "tcp", l.endpoint[len("http://"):]), newLink(t, "unix", server.Socket())
	worker := w.startAt("worker", byWayOf(t, w.address, toDatabase.addr()), "http://"+toStore.addr())
	toStore.slow(100 * time.Millisecond)
	toDatabase.slow(100 * time.Millisecond)
	w.put(worker, "photos", "all")
	w.ended("photos", "all")
	w.oneReport(worker, "photos", "all")
	worker.stopped()
}
