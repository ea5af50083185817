package metrics_test

import (
	"context"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

type team struct{ work stocktake.Work }

func (t *team) Work(context.Context, string, string) (stocktake.Work, error) { return t.work, nil }

// Two servers with the same name count together. A task of a lost machine has no
// machine.
func TestMachines(t *testing.T) {
	m := newMetrics()
	m.Machines(&team{stocktake.Work{
		Machines: []stocktake.Machine{
			{ID: "1", Name: "a", Roles: []string{"worker"}, Slices: 2, Started: time.Unix(100, 0)},
			{ID: "2", Name: "a", Roles: []string{"worker", "scheduler"}, Slices: 2, Started: time.Unix(200, 0), Scheduler: true},
			{ID: "3", Name: "b", Roles: []string{"api"}},
		},
		Runs: []stocktake.RunWork{{Machine: "1", Tasks: []stocktake.RunTask{
			{Kind: stocktake.TaskSlice, State: stocktake.TaskWorking, Machine: "1"},
			{Kind: stocktake.TaskSlice, State: stocktake.TaskWorking, Machine: "2"},
			{Kind: stocktake.TaskSlice, State: stocktake.TaskWorking, Machine: "gone"},
			{Kind: stocktake.TaskSlice, State: stocktake.TaskWaiting, Machine: "2"},
		}}},
	}})
	has(t, m,
		`stocktake_machines{role="api"} 1`,
		`stocktake_machines{role="worker"} 2`,
		`stocktake_machines{role="scheduler"} 1`,
		`stocktake_machine_slices_max{machine="a"} 4`,
		`stocktake_machine_tasks{kind="slice",machine="a"} 2`,
		`stocktake_machine_tasks{kind="slice",machine="b"} 0`,
		`stocktake_machine_runs{machine="a"} 1`,
		`stocktake_machine_scheduler{machine="a"} 1`,
		`stocktake_machine_scheduler{machine="b"} 0`,
		`stocktake_machine_start_timestamp_seconds{machine="a"} 200`,
		`stocktake_tasks_waiting{kind="slice"} 1`,
	)
}
