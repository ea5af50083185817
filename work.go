package stocktake

import "time"

// Work says who works on what. Its JSON form is what the extension "work" of the API
// returns.
type Work struct {
	Machines []Machine `json:"machines"` // that are there, by name
	Runs     []RunWork `json:"runs"`     // that were begun and have not ended, by when they were queued
	Waiting  int64     `json:"waiting"`  // runs that no machine has begun
}

// A Machine is a process that takes part in the service. One machine may have several.
type Machine struct {
	ID        string    `json:"id"`                  // of this start of the process
	Name      string    `json:"name"`                // for people; several may have the same
	Roles     []string  `json:"roles"`               // what it does: api, worker, scheduler
	Version   string    `json:"version,omitempty"`   // of the program
	Started   time.Time `json:"started"`             //
	Seen      time.Time `json:"seen"`                // when it was heard of last
	Slices    int       `json:"slices,omitempty"`    // how many parts of runs it scans at once; 0: runs are not cut, or it scans none
	Scheduler bool      `json:"scheduler,omitempty"` // it records the runs that are due now; one machine does
}

// RunWork is a run and the parts of it that are to be done.
type RunWork struct {
	Run     Run       `json:"run"`
	Machine string    `json:"machine"` // id of the one that leads the run; empty: none does now
	Name    string    `json:"name"`    // of that machine; empty: it is gone
	Tasks   []RunTask `json:"tasks"`   // that have not ended, in the order they were made
	Done    int       `json:"done"`    // tasks that have ended
}

// TaskKind is what a part of a run does.
type TaskKind string

// The kinds of tasks.
const (
	TaskRun     TaskKind = "run"     // all of it, where runs are not cut
	TaskPlan    TaskKind = "plan"    // cuts the bucket into slices
	TaskSlice   TaskKind = "slice"   // scans a part of the bucket
	TaskSum     TaskKind = "sum"     // adds the slices up
	TaskPublish TaskKind = "publish" // publishes the report
)

// TaskState is whether a machine works on a task.
type TaskState string

// The states of a task that has not ended.
const (
	TaskWaiting TaskState = "waiting"
	TaskWorking TaskState = "working"
)

// A RunTask is a part of a run that has not ended.
type RunTask struct {
	Kind    TaskKind  `json:"kind"`
	State   TaskState `json:"state"`
	Attempt int       `json:"attempt"` // from 1; one more each time that it was taken from a machine, or has failed
	Machine string    `json:"machine"` // id of the one that works on it, or did last; empty: none has
	Name    string    `json:"name"`    // of that machine
	Since   time.Time `json:"since"`   // when the attempt began, or the waiting
	Listed  int64     `json:"listed"`  // records read by the attempt so far
	Matched int64     `json:"matched"` // of these, records in the report
	Bytes   int64     `json:"bytes"`   // size of the objects matched, in bytes
}
