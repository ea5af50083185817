package cluster_test

import "testing"

// paused is the mishap of a process that is paused until its leases have expired.
type paused struct{}

func (paused) start(w *world, store *storeProxy, database *databaseProxy) *machine {
	return w.startAt("worker", database.address(w.t, w.address), store.URL)
}

func (paused) strike(worker *machine) { worker.pause() }
func (paused) mend(worker *machine)   { worker.resume() }
func (paused) abandons() bool         { return false }

// A process is paused at each step.
func TestPaused(t *testing.T) {
	t.Parallel()
	suffer(t, []mishap{
		{"plan begun", planBegun, paused{}},
		{"planned, not recorded", planUnrecorded, paused{}},
		{"plan recorded", planRecorded, paused{}},
		{"slice begun", sliceBegun, paused{}},
		{"shard not uploaded", shardUnwritten, paused{}},
		{"shard uploaded, not recorded", shardUnrecorded, paused{}},
		{"slice not recorded", sliceUnrecorded, paused{}},
		{"slice recorded", sliceRecorded, paused{}},
		{"summed, not recorded", sumUnrecorded, paused{}},
		{"sum recorded", sumRecorded, paused{}},
		{"report not in the run", reportUnrecorded, paused{}},
		{"report in the run", reportRecorded, paused{}},
		{"summary not written", summaryUnwritten, paused{}},
		{"manifest not written", manifestUnwritten, paused{}},
		{"manifest written", manifestWritten, paused{}},
		{"published, not recorded", publishUnrecorded, paused{}},
		{"publishing recorded", publishingRecorded, paused{}},
		{"end not recorded", endUnrecorded, paused{}},
		{"end recorded", endRecorded, paused{}},
	})
}
