package metrics

import (
	"context"

	"github.com/stocktake/stocktake"
)

const sectionMachines section = "Machines"

var (
	machines       = sectionMachines.gauge("machines", "Live servers, by role (api, worker, scheduler). With several servers on one database each shows the same number, here and below: take max, not sum.", "role")
	machineSlices  = sectionMachines.gauge("machine_slices_max", "Parts of runs that a server scans at once (--slices). Missing where runs are not cut.", "machine")
	machineTasks   = sectionMachines.gauge("machine_tasks", "Parts of runs that a server works on, by kind (run, plan, slice, sum, publish).", "machine", "kind")
	machineRuns    = sectionMachines.gauge("machine_runs", "Runs that a server leads.", "machine")
	machineStarted = sectionMachines.gauge("machine_start_timestamp_seconds", "When a server was started, in Unix seconds; of servers of one name, the newest.", "machine")
	scheduling     = sectionMachines.gauge("machine_scheduler", "1 for the server that records the runs that are due, 0 for others. If all are 0 for long, due runs do not start.", "machine")
	tasksWaiting   = sectionMachines.gauge("tasks_waiting", "Parts of runs that no server works on yet.", "kind")
)

// A Team reports which machine works on which tasks.
type Team interface {
	Work(ctx context.Context, bucket, id string) (stocktake.Work, error)
}

// The kinds of tasks and the roles that are always shown.
var (
	taskKinds = []stocktake.TaskKind{stocktake.TaskRun, stocktake.TaskPlan, stocktake.TaskSlice, stocktake.TaskSum, stocktake.TaskPublish}
	roles     = []string{"api", "worker", "scheduler"}
)

// Machines exports the machines and their tasks. Operators choose the names of
// machines.
func (m *Metrics) Machines(team Team) {
	m.reads(func(emit emitter) error {
		return within(func(ctx context.Context) error {
			w, err := team.Work(ctx, "", "")
			if err != nil {
				return err
			}
			emitMachines(emit, &w)
			return nil
		})
	}, machines, machineSlices, machineTasks, machineRuns, machineStarted, scheduling, tasksWaiting)
}

// A machineFigure is the work of the servers with one name.
type machineFigure struct {
	slices, runs, scheduler float64
	started                 float64
	tasks                   map[stocktake.TaskKind]float64
}

func emitMachines(emit emitter, w *stocktake.Work) {
	byRole, byName := map[string]float64{}, map[string]*machineFigure{}
	waiting, nameOf := map[stocktake.TaskKind]float64{}, map[string]string{}
	for i := range w.Machines {
		machine := &w.Machines[i]
		nameOf[machine.ID] = machine.Name
		f := byName[machine.Name]
		if f == nil {
			f = &machineFigure{tasks: map[stocktake.TaskKind]float64{}}
			byName[machine.Name] = f
		}
		f.slices += float64(machine.Slices)
		f.started = max(f.started, float64(machine.Started.UnixMilli())/1000)
		f.scheduler = max(f.scheduler, number(machine.Scheduler))
		for _, role := range machine.Roles {
			byRole[role]++
		}
	}
	for i := range w.Runs {
		if f := byName[nameOf[w.Runs[i].Machine]]; f != nil {
			f.runs++
		}
		for _, t := range w.Runs[i].Tasks {
			if f := byName[nameOf[t.Machine]]; f != nil && t.State == stocktake.TaskWorking {
				f.tasks[t.Kind]++
			} else if t.State == stocktake.TaskWaiting {
				waiting[t.Kind]++
			}
		}
	}
	for _, role := range roles {
		emit(machines, byRole[role], role)
	}
	for _, kind := range taskKinds {
		emit(tasksWaiting, waiting[kind], string(kind))
	}
	for name, f := range byName {
		if f.slices > 0 {
			emit(machineSlices, f.slices, name)
		}
		emit(machineRuns, f.runs, name)
		emit(machineStarted, f.started, name)
		emit(scheduling, f.scheduler, name)
		for _, kind := range taskKinds {
			emit(machineTasks, f.tasks[kind], name, string(kind))
		}
	}
}
