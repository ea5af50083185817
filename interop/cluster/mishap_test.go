package cluster_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A mishap happens to a worker at a step of a run, and ends after others have ended
// the run.
type mishap struct {
	name string
	at   arming // the step
	fate fate
}

// A fate is how a worker is disturbed.
type fate interface {
	// start starts the worker, which reaches the store and the database through these proxies.
	// It is called once.
	start(w *world, store *storeProxy, database *databaseProxy) *machine

	// strike begins the mishap, and mend ends it.
	strike(worker *machine)
	mend(worker *machine)

	// abandons reports whether the worker, which waits for the store, must abandon its
	// work during the mishap.
	abandons() bool
}

// suffer runs a test for each mishap.
func suffer(t *testing.T, mishaps []mishap) {
	l := startLake(t, "")
	l.fill(t, "photos", 2500)
	template := migrated(t, server)
	for i, m := range mishaps {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			m.happen(newWorld(t, server, server.Copy(t, template), l, fmt.Sprintf("reports-%d", i)))
		})
	}
}

// rescued bounds how long others take to end the run of a disturbed worker.
const rescued = 3 * time.Minute

// happen disturbs a worker. Others end its run in time, with a correct report. When
// the worker is back, it cannot damage that report, although answers to its earlier
// requests arrive late. Then it works again.
func (m *mishap) happen(w *world) {
	store, database := newStoreProxy(w.t, w.lake.endpoint), newDatabaseProxy(w.t, w.pg.Socket())
	worker := m.fate.start(w, store, database)
	h := m.at(w, store, database)
	w.put(worker, "photos", "all")
	w.reached(h)
	begin := time.Now()
	m.fate.strike(worker)
	other := w.startAt("other", w.address, w.lake.endpoint)
	if m.fate.abandons() {
		select {
		case <-h.gone:
			w.t.Logf("the worker has given its work up after %v", time.Since(begin).Round(100*time.Millisecond))
		case <-time.After(limit):
			w.t.Error("a worker that is cut off from the database does not give its work up")
		}
	}
	w.ended("photos", "all")
	took := time.Since(begin)
	w.t.Logf("others have ended the run after %v", took.Round(time.Second))
	if took > rescued {
		w.t.Errorf("others have ended the run after %v, want %v at most", took, rescued)
	}
	h.release() // before the worker knows: it arrives although its sender has stopped waiting
	select {
	case <-h.passed:
	case <-time.After(limit):
		w.t.Fatal("what was held does not pass")
	}
	m.fate.mend(worker)
	w.until("the worker to be ready", func() bool { return answers(worker.URL()) })
	other.stopped()
	if _, err := worker.api().Run(w.t.Context(), "photos", "all"); err != nil {
		w.t.Fatal(err)
	}
	w.ended("photos", "all")
	runs := w.runs(worker, "photos", "all")
	w.nothingLeft()
	worker.stopped() // it has ended everything that it had begun
	w.reportsOf(runs, 2)
}

// An arming makes a hold for a step.
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

// sliceBegun holds the answer to the first page of a slice.
func sliceBegun(w *world, store *storeProxy, _ *databaseProxy) *hold { return w.holdSlice(store) }

// Steps of a slice and of publishing, of the worker and of the holder of the run,
// each before its effect and after it.
var (
	planBegun          = request(pageOf("photos"))
	planUnrecorded     = commit("SET outline")
	planRecorded       = committed("SET outline")
	shardUnwritten     = request(putOf(".csv.gz"))
	shardUnrecorded    = answer(putOf(".csv.gz"))
	sliceUnrecorded    = commit("SET done = 1", "SELECT count(*) FROM tasks")
	sliceRecorded      = committed("SET done = 1", "SELECT count(*) FROM tasks")
	sumUnrecorded      = commit("UPDATE works SET report")
	sumRecorded        = committed("UPDATE works SET report")
	reportUnrecorded   = commit("UPDATE runs SET bucket", "publishing")
	reportRecorded     = committed("UPDATE runs SET bucket", "publishing")
	summaryUnwritten   = request(putOf("/manifest.summary"))
	manifestUnwritten  = request(putOf("/manifest.json"))
	manifestWritten    = answer(putOf("/manifest.json"))
	publishUnrecorded  = commit("SET outcome")
	publishingRecorded = committed("SET outcome")
	endUnrecorded      = commit("UPDATE runs SET bucket", "succeeded")
	endRecorded        = committed("UPDATE runs SET bucket", "succeeded")
)
