package cluster_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// soon is far more than the promised seconds.
const soon = 30 * time.Second

// A machine that is told to end during a slice exits with code 0 after its next page, and
// another machine scans the rest: nothing is scanned twice. The same holds for the machine that
// holds the run.
func TestDrained(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	l.fill(t, "photos", 6000)
	w := newWorld(t, server, migrated(t, server), l, "reports")
	store := newStoreProxy(t, l.endpoint)
	store.slow(300 * time.Millisecond)
	first := w.startAt("first", w.address, store.URL)
	h := w.holdSlice(store)
	w.put(first, "photos", "all") // it holds the run, and scans
	w.reached(h)
	second := w.startAt("second", w.address, store.URL)
	begin := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- first.Stop() }()
	w.until("the server to end", func() bool { return !answers(first.URL()) })
	h.release()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	took := time.Since(begin)
	t.Logf("it has ended after %v", took.Round(100*time.Millisecond))
	if w.has(`SELECT 1 FROM tasks WHERE done = 0 AND worker <> '' AND host = 'first'`) {
		t.Error("it has left tasks that it holds")
	}
	if rows, err := w.tryRows(`SELECT id, kind FROM tasks WHERE generation > 1`); err != nil || len(rows) > 0 {
		t.Errorf("%v, tasks are begun again: %q", err, rows)
	}
	w.ended("photos", "all")
	t.Logf("the run has ended %v after that", (time.Since(begin) - took).Round(100*time.Millisecond))
	w.oneReport(second, "photos", "all")
	second.stopped()
}

// A cancellation at one machine ends the work at another within seconds and leaves nothing
// behind.
func TestCancelled(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	l.fill(t, "photos", 6000)
	w := newWorld(t, server, migrated(t, server), l, "reports")
	store := newStoreProxy(t, l.endpoint)
	worker := w.startAt("worker", w.address, store.URL)
	h := w.holdSlice(store)
	w.put(worker, "photos", "all")
	w.reached(h)
	other := w.startAt("other", w.address, l.endpoint)
	begin := time.Now()
	r, err := other.api().Cancel(t.Context(), "photos", "all")
	if err != nil || r.State != stocktake.Cancelled {
		t.Fatalf("%+v, %v", r, err)
	}
	select {
	case <-h.gone:
		t.Logf("cancelled after %v, the worker has stopped after %v", r.Ended.Sub(r.Started).Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
	case <-time.After(soon):
		t.Errorf("the worker has not stopped after %v", soon)
	}
	h.release()
	worker.stopped()
	w.nothingLeft()
	for file := range w.files() {
		t.Errorf("%s is left", file)
	}
	other.stopped()
}

// holdSlice holds the answer to the first page of a slice.
func (w *world) holdSlice(store *storeProxy) *hold {
	page := pageOf("photos")
	return store.holdAnswer(w.t, func(r *http.Request) bool {
		return page(r) && w.has(`SELECT 1 FROM tasks WHERE kind = 'slice' AND worker <> ''`)
	})
}

// answers reports whether a server answers that it is ready.
func answers(url string) bool {
	resp, err := http.Get(url + "/-/readyz")
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}
