package stocktake

import "time"

// Work says who works on what. Its JSON form is what the extension "work" of the API
// returns.
type Work struct {
	Machines []Machine `json:"machines"` // live machines, by name
	Runs     []RunWork `json:"runs"`     // started and not ended, by the time they were queued
	Waiting  int64     `json:"waiting"`  // runs that no machine has started
}

// A Machine is a process that takes part in the service. One machine may have several.
type Machine struct {
	ID        string    `json:"id"`                  // of this start of the process
	Name      string    `json:"name"`                // for people; several machines may share it
	Roles     []string  `json:"roles"`               // what it does: api, worker, scheduler
	Version   string    `json:"version,omitempty"`   // of the program
	Started   time.Time `json:"started"`             //
	Seen      time.Time `json:"seen"`                // time of its last sign of life
	Slices    int       `json:"slices,omitempty"`    // how many parts of runs it scans at once; 0: runs are not cut, or it scans none
	Scheduler bool      `json:"scheduler,omitempty"` // it is the scheduler, which records due runs; one machine is
}

// RunWork is a run and its unfinished tasks.
type RunWork struct {
	Run     Run       `json:"run"`
	Machine string    `json:"machine"` // id of the machine that leads the run; empty: none at present
	Name    string    `json:"name"`    // of that machine; empty: it is gone
	Tasks   []RunTask `json:"tasks"`   // unfinished, in the order of their creation
	Done    int       `json:"done"`    // tasks that have ended
}

// TaskKind says which part of a run a task does.
type TaskKind string

// The kinds of tasks.
const (
	TaskRun     TaskKind = "run"     // the whole run, if runs are not cut into slices
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
	Attempt int       `json:"attempt"` // from 1; increased each time that a machine loses the task or fails
	Machine string    `json:"machine"` // id of the machine that works on it, or the last one that did; empty: none
	Name    string    `json:"name"`    // of that machine
	Since   time.Time `json:"since"`   // start of the attempt, or of the wait
	Listed  int64     `json:"listed"`  // records read by the attempt so far
	Matched int64     `json:"matched"` // of these, records in the report
	Bytes   int64     `json:"bytes"`   // size of the objects matched, in bytes
}
