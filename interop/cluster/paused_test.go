package cluster_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A step is a place in the work of a run at which a process is paused.
type step struct {
	name string
	arm  func(w *world, store *storeProxy, database *databaseProxy) *hold
}

// steps are those of a slice and of publishing, of the worker and of the holder of
// the run, each before its effect and after it.
var steps = []step{
	{"plan begun", request(pageOf("photos"))},
	{"planned, not recorded", commit("SET outline")},
	{"plan recorded", committed("SET outline")},
	{"slice begun", func(w *world, store *storeProxy, _ *databaseProxy) *hold { return w.holdSlice(store) }},
	{"shard not uploaded", request(putOf(".csv.gz"))},
	{"shard uploaded, not recorded", answer(putOf(".csv.gz"))},
	{"slice not recorded", commit("SET done = 1", "SELECT count(*) FROM tasks")},
	{"slice recorded", committed("SET done = 1", "SELECT count(*) FROM tasks")},
	{"summed, not recorded", commit("UPDATE works SET report")},
	{"sum recorded", committed("UPDATE works SET report")},
	{"report not in the run", commit("UPDATE runs SET bucket", "publishing")},
	{"report in the run", committed("UPDATE runs SET bucket", "publishing")},
	{"summary not written", request(putOf("/manifest.summary"))},
	{"manifest not written", request(putOf("/manifest.json"))},
	{"manifest written", answer(putOf("/manifest.json"))},
	{"published, not recorded", commit("SET outcome")},
	{"publishing recorded", committed("SET outcome")},
	{"end not recorded", commit("UPDATE runs SET bucket", "succeeded")},
	{"end recorded", committed("UPDATE runs SET bucket", "succeeded")},
}

type arming = func(*world, *storeProxy, *databaseProxy) *hold

func request(match func(*http.Request) bool) arming {
	return func(w *world, store *storeProxy, _ *databaseProxy) *hold { return store.holdRequest(w.t, match) }
}

func answer(match func(*http.Request) bool) arming {
	return func(w *world, store *storeProxy, _ *databaseProxy) *hold { return store.holdAnswer(w.t, match) }
}

func commit(parts ...string) arming {
	return func(w *world, _ *storeProxy, database *databaseProxy) *hold {
		return database.holdCommit(w.t, withAll(parts))
	}
}

func committed(parts ...string) arming {
	return func(w *world, _ *storeProxy, database *databaseProxy) *hold {
		return database.holdCommitted(w.t, withAll(parts))
	}
}

func withAll(parts []string) func(string) bool {
	return func(text string) bool {
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return false
			}
		}
		return true
	}
}

func pageOf(bucket string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodGet && r.URL.Query().Has("list-type") && strings.Trim(r.URL.Path, "/") == bucket
	}
}

func putOf(suffix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, suffix) }
}

// A process that is paused at any step until its leases have expired, while others
// make its runs, cannot spoil a report when it comes back, though what it had asked for
// arrives late.
func TestPaused(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	l.fill(t, "photos", 2500)
	template := migrated(t, server)
	for i, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			testPaused(newWorld(t, server, server.Copy(t, template), l, fmt.Sprintf("reports-%d", i)), s)
		})
	}
}

func testPaused(w *world, s step) {
	store, database := newStoreProxy(w.t, w.lake.endpoint), newDatabaseProxy(w.t, w.pg.Socket())
	paused := w.startAt("paused", database.address(w.t, w.address), store.URL)
	h := s.arm(w, store, database)
	w.put(paused, "photos", "all")
	w.reached(h)
	paused.pause()
	begin := time.Now()
	other := w.startAt("other", w.address, w.lake.endpoint)
	w.ended("photos", "all")
	after := time.Since(begin)

	h.release() // before the process knows: it arrives though nobody waits for it
	select {
	case <-h.passed:
	case <-time.After(limit):
		w.t.Fatal("what was held does not pass")
	}
	paused.resume()
	w.until("the paused process to be ready", func() bool { return answers(paused.URL()) })
	paused.stopped() // it has ended all that it had begun
	w.nothingLeft()
	w.oneReport(other, "photos", "all")
	w.t.Logf("the others have ended the run %v after the pause began", after.Round(time.Second))
}
