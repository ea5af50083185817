package metrics

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

const sectionRuns section = "Runs"

var (
	runsNow      = sectionRuns.gauge("runs", "Runs in the catalog that have not ended, by state (queued, scanning, publishing). With several servers on one catalog each shows the same number: take max, not sum.", "state", "kind")
	runsLate     = sectionRuns.gauge("runs_late", "Runs in the catalog that have not ended in time (--late-after).", "kind")
	runsActive   = sectionRuns.gauge("runs_active", "Runs that this server scans or publishes.")
	runsWaiting  = sectionRuns.gauge("runs_waiting", "Runs in the queue of this server.")
	runsTotal    = sectionRuns.counter("runs_total", "Runs that ended on this server, by final state (succeeded, failed, cancelled, skipped).", "state", "trigger", "kind")
	runsLateEnd  = sectionRuns.counter("runs_ended_late_total", "Runs that ended on this server after they had been reported as late.", "kind")
	runDuration  = sectionRuns.histogram("run_duration_seconds", "Duration of runs that succeeded, from the start of their last attempt.", "kind")
	runDelay     = sectionRuns.histogram("run_queue_seconds", "Time that runs were queued before their first attempt.", "kind")
	runListed    = sectionRuns.counter("run_listed_objects_total", "Objects and versions that runs have listed so far, running ones included.")
	runMatched   = sectionRuns.counter("run_matched_objects_total", "Objects and versions that runs have reported so far.")
	runBytes     = sectionRuns.counter("run_matched_bytes_total", "Size in bytes of the objects that runs have reported so far.")
	runWritten   = sectionRuns.counter("run_written_bytes_total", "Bytes of shards that runs have written so far, compressed.")
	runFinishing = sectionRuns.gauge("run_last_end_timestamp_seconds", "When a run last ended on this server, in Unix seconds; 0: none since the start.")
)

// The states and kinds of unfinished runs that are always shown, so that a series
// does not vanish when its number is 0.
var (
	unfinishedStates = []stocktake.RunState{stocktake.Queued, stocktake.Scanning, stocktake.Publishing}
	runKinds         = []stocktake.RunKind{stocktake.FullRun, stocktake.IncrementalRun}
)

// runMetrics counts runs. The progress of a run is counted during the run, each
// time by the difference from the last count.
type runMetrics struct {
	total, late     *prometheus.CounterVec
	duration, delay *prometheus.HistogramVec

	mu      sync.Mutex
	done    stocktake.Progress             // of all runs since the start
	active  func() []stocktake.Run         // runs in progress; nil: unknown
	counted map[attempt]stocktake.Progress // what is already counted of the runs in progress
	last    float64
}

// An attempt identifies a progress that only increases.
type attempt struct {
	run    string
	number int
}

func newRunMetrics() *runMetrics {
	return &runMetrics{
		total: runsTotal.newCounters(), late: runsLateEnd.newCounters(),
		duration: runDuration.newHistograms(0.01, 4, 12), delay: runDelay.newHistograms(0.01, 4, 12),
		counted: map[attempt]stocktake.Progress{},
	}
}

func (m *runMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.total, m.late, m.duration, m.delay,
		&reading{[]*definition{runListed, runMatched, runBytes, runWritten, runFinishing}, m.progress},
	}
}

// progress emits the progress of all runs so far.
func (m *runMetrics) progress(emit emitter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.follow()
	emit(runListed, float64(m.done.Listed))
	emit(runMatched, float64(m.done.Matched))
	emit(runBytes, float64(m.done.Bytes))
	emit(runWritten, float64(m.done.Written))
	emit(runFinishing, m.last)
	return nil
}

// follow counts the progress of all runs in progress, and forgets the others. The
// caller holds the lock.
func (m *runMetrics) follow() {
	if m.active == nil {
		clear(m.counted)
		return
	}
	now := m.active()
	known := make(map[attempt]stocktake.Progress, len(now))
	for i := range now {
		m.count(&now[i])
		known[attemptOf(&now[i])] = m.counted[attemptOf(&now[i])]
	}
	m.counted = known
}

// count counts the new progress of a run. The caller holds the lock.
func (m *runMetrics) count(r *stocktake.Run) {
	old, now := m.counted[attemptOf(r)], r.Progress
	for _, c := range []struct {
		sum         *int64
		before, now *int64
	}{
		{&m.done.Listed, &old.Listed, &now.Listed},
		{&m.done.Matched, &old.Matched, &now.Matched},
		{&m.done.Bytes, &old.Bytes, &now.Bytes},
		{&m.done.Written, &old.Written, &now.Written},
	} {
		*c.now = max(*c.now, *c.before)
		*c.sum += *c.now - *c.before
	}
	m.counted[attemptOf(r)] = now
}

func attemptOf(r *stocktake.Run) attempt { return attempt{r.ID, r.Attempt} }

// changed counts the new state of a run.
func (m *runMetrics) changed(r *stocktake.Run) {
	kind := string(r.Kind)
	if r.State == stocktake.Scanning && r.Attempt == 1 {
		m.delay.WithLabelValues(kind).Observe(max(r.Started.Sub(r.Queued).Seconds(), 0))
	}
	if !r.State.Ended() {
		return
	}
	m.total.WithLabelValues(string(r.State), string(r.Trigger), kind).Inc()
	if r.Late {
		m.late.WithLabelValues(kind).Inc()
	}
	if r.State == stocktake.Succeeded {
		m.duration.WithLabelValues(kind).Observe(r.Ended.Sub(r.Started).Seconds())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(r)
	m.follow() // the run is still active here, so that it is not counted twice
	if !r.Ended.IsZero() {
		m.last = float64(r.Ended.UnixMilli()) / 1000
	}
}

// RunChanged implements [inventory.Observer].
func (m *Metrics) RunChanged(r stocktake.Run) { m.runs.changed(&r) }

// Service is the part of this process's inventory service that metrics read.
type Service interface {
	Load() inventory.Load
	Active() []stocktake.Run // with their progress
}

// Runs exports the runs of the service and of the catalog.
func (m *Metrics) Runs(service Service, catalog inventory.FigureCatalog) {
	m.runs.mu.Lock()
	m.runs.active = service.Active
	m.runs.mu.Unlock()
	m.reads(func(emit emitter) error {
		load := service.Load()
		emit(runsActive, float64(load.Running))
		emit(runsWaiting, float64(load.Waiting))
		return within(func(ctx context.Context) error {
			counts, err := catalog.CountUnfinished(ctx)
			if err != nil {
				return err
			}
			for _, kind := range runKinds {
				late := int64(0)
				for _, state := range unfinishedStates {
					c := counts[inventory.UnfinishedKey{State: state, Kind: kind}]
					emit(runsNow, float64(c.Runs), string(state), string(kind))
					late += c.Late
				}
				emit(runsLate, float64(late), string(kind))
			}
			return nil
		})
	}, runsNow, runsLate, runsActive, runsWaiting)
}
