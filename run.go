package stocktake

import "time"

// RunState is the state of a run: queued -> scanning -> publishing ->
// succeeded, failed, cancelled or skipped.
type RunState string

// The states of a run.
const (
	Queued     RunState = "queued"
	Scanning   RunState = "scanning"
	Publishing RunState = "publishing"
	Succeeded  RunState = "succeeded"
	Failed     RunState = "failed"    // Reason says why
	Cancelled  RunState = "cancelled" // by request, or because the configuration was deleted
	Skipped    RunState = "skipped"   // the previous run had not ended
)

// Ended reports whether the state is final.
func (s RunState) Ended() bool {
	switch s {
	case Succeeded, Failed, Cancelled, Skipped:
		return true
	}
	return false
}

// Trigger is the reason why a run was made.
type Trigger string

// The triggers of a run.
const (
	TriggerFirst     Trigger = "first"     // the configuration was just put
	TriggerScheduled Trigger = "scheduled" // it fell due
	TriggerManual    Trigger = "manual"    // by request
)

// RunKind says what a run reports.
type RunKind string

// The kinds of runs. A configuration has at most one unfinished run of each.
const (
	FullRun        RunKind = "full"        // all objects that the configuration selects
	IncrementalRun RunKind = "incremental" // the changes of one window
)

// A Run is one execution of a configuration. The extensions of the API return its JSON form,
// without times that are still in the future.
type Run struct {
	ID            string   `json:"id"`
	Bucket        string   `json:"bucket"`
	Configuration string   `json:"configuration"`
	Kind          RunKind  `json:"kind"`
	Trigger       Trigger  `json:"trigger"`
	State         RunState `json:"state"`
	Attempt       int      `json:"attempt"` // from 1; a run that a crash interrupted restarts with the next attempt

	Window RunWindow `json:"window,omitzero"` // of an incremental run

	Due     time.Time `json:"due"` // when it should have started
	Queued  time.Time `json:"queued"`
	Started time.Time `json:"started,omitzero"` // of the latest attempt; also the report's creationTimestamp
	Ended   time.Time `json:"ended,omitzero"`

	Progress

	Reason string `json:"reason,omitempty"` // of a failure or a skip, in words that say what to do
	Late   bool   `json:"late,omitempty"`   // it had not ended within the time that the server allows after Due

	// Manifest is the key of manifest.json in the destination bucket, once the
	// run has succeeded; empty if nothing matched and so nothing was written.
	Manifest    string `json:"manifest,omitempty"`
	Destination string `json:"destination"` // bucket
}

// A RunWindow is the time whose changes an incremental run reports, in whole
// seconds. The zero value is that of full runs.
type RunWindow struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"` // not within the window
}

// Progress is the progress of a run.
type Progress struct {
	Listed   int64  `json:"listed"`             // records read from the source
	Matched  int64  `json:"matched"`            // of these, records in the report
	Bytes    int64  `json:"bytes"`              // size of the objects matched, in bytes
	Written  int64  `json:"written"`            // bytes of shards written, compressed
	Shards   int    `json:"shards"`             // shards finished
	Expected int64  `json:"expected,omitempty"` // estimate of Listed at the end; 0: unknown
	Key      string `json:"key,omitempty"`      // last key read of the slowest segment
}

// An InventoryStatus is what the service knows about one configuration.
type InventoryStatus struct {
	Bucket        string    `json:"bucket"`
	Configuration string    `json:"configuration"`
	Enabled       bool      `json:"enabled"`
	Frequency     Frequency `json:"frequency"`
	Suspended     bool      `json:"suspended,omitempty"` // scheduled runs are left out until it is resumed
	Next          time.Time `json:"next,omitzero"`       // when it falls due; zero: never
	Last          *Run      `json:"last,omitempty"`      // the newest run that was not skipped, ended or not; nil: none yet
	Succeeded     time.Time `json:"succeeded,omitzero"`  // end of the newest successful full run in the history; zero: none
	Retention     Retention `json:"retention,omitzero"`

	Incremental *IncrementalStatus `json:"incremental,omitempty"` // nil: no reports of changes are made
	Warnings    []string           `json:"warnings,omitempty"`    // known problems that will make a run fail
}

// An IncrementalStatus is the progress of the incremental reports of a configuration.
type IncrementalStatus struct {
	Published time.Time `json:"published"`      // every change before is reported
	Next      time.Time `json:"next,omitzero"`  // when the run of the next window is made; zero: it is in progress, or the configuration is suspended
	Last      *Run      `json:"last,omitempty"` // the newest incremental run; nil: none is kept
}

// Retention says which reports of a configuration are kept: those that Reports or Days keeps, and
// always the newest. The zero Retention keeps them all.
type Retention struct {
	Reports int `json:"reports,omitempty"` // the newest ones, by number; 0: none by number
	Days    int `json:"days,omitempty"`    // those not older, by the start of the scan; 0: none by age
}
