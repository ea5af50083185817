package console

import (
	"cmp"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
)

// machinesData is the page of the machines and their work.
type machinesData struct {
	Machines []machineRow `json:"machines"`
	Runs     []workRow    `json:"runs"`
	Waiting  int64        `json:"waiting"` // runs that no machine has begun
}

// A machineRow is a machine with the sums of its tasks.
type machineRow struct {
	stocktake.Machine
	Busy  int   `json:"busy"`    // tasks that it works on
	Rate  int64 `json:"rate"`    // objects that these list per second
	Leads int   `json:"runsLed"` // runs that it leads
	Quiet bool  `json:"quiet"`   // its last report is older than quietAfter
}

// A workRow is a run in progress with those of its tasks that the page shows.
type workRow struct {
	Run     runRow    `json:"run"`
	Name    string    `json:"name"` // of the machine that leads it; empty: none at the moment
	Tasks   []taskRow `json:"tasks"`
	Working int       `json:"working"`
	Waiting int       `json:"waiting"`
	Done    int       `json:"done"`
	More    int       `json:"more,omitempty"` // waiting tasks that are not in Tasks
}

// A taskRow is a task with derived values.
type taskRow struct {
	stocktake.RunTask
	Rate int64         `json:"rate"` // objects listed per second
	For  time.Duration `json:"-"`
}

const (
	// tasksOfRun is how many tasks of a run a page shows: all tasks in progress, then
	// some of those that wait. A run may have ten thousand.
	tasksOfRun = 50

	// quietAfter is how long a machine may be silent before the page marks it.
	// Machines report every few seconds.
	quietAfter = 20 * time.Second
)

// newWorkRow computes the derived values of a run in progress.
func newWorkRow(w *stocktake.RunWork, now time.Time) workRow {
	row := workRow{Run: newRunRow(&w.Run, now), Name: w.Name, Done: w.Done, Tasks: []taskRow{}}
	tasks := slices.Clone(w.Tasks)
	slices.SortStableFunc(tasks, func(a, b stocktake.RunTask) int {
		return cmp.Compare(waits(&a), waits(&b))
	})
	for i := range tasks {
		t := taskRow{RunTask: tasks[i], For: max(now.Sub(tasks[i].Since), 0)}
		if waits(&tasks[i]) == 0 {
			row.Working++
			if s := t.For.Seconds(); s > 0 {
				t.Rate = int64(float64(t.Listed) / s)
			}
		} else {
			row.Waiting++
		}
		if len(row.Tasks) < tasksOfRun || waits(&tasks[i]) == 0 {
			row.Tasks = append(row.Tasks, t)
		} else {
			row.More++
		}
	}
	return row
}

func waits(t *stocktake.RunTask) int {
	if t.State == stocktake.TaskWorking {
		return 0
	}
	return 1
}

// Whole reports whether the run is a single task, as it is in a single process.
func (w workRow) Whole() bool { return len(w.Tasks) == 1 && w.Tasks[0].Kind == stocktake.TaskRun }

func (v *visit) readMachines() (*machinesData, error) {
	work, err := v.admin.Work(v.ctx)
	if err != nil {
		return nil, err
	}
	now := v.Now()
	data := &machinesData{Machines: []machineRow{}, Runs: []workRow{}, Waiting: work.Waiting}
	of := map[string]*machineRow{}
	for _, m := range work.Machines {
		data.Machines = append(data.Machines, machineRow{Machine: m, Quiet: now.Sub(m.Seen) > quietAfter})
	}
	for i := range data.Machines {
		of[data.Machines[i].ID] = &data.Machines[i]
	}
	for i := range work.Runs {
		row := newWorkRow(&work.Runs[i], now)
		if m := of[work.Runs[i].Machine]; m != nil {
			m.Leads++
		}
		for _, t := range row.Tasks {
			if m := of[t.Machine]; m != nil && waits(&t.RunTask) == 0 {
				m.Busy++
				m.Rate += t.Rate
			}
		}
		data.Runs = append(data.Runs, row)
	}
	return data, nil
}

// Rate returns how many objects all machines list per second.
func (d *machinesData) Rate() (sum int64) {
	for _, m := range d.Machines {
		sum += m.Rate
	}
	return sum
}

// machines shows the machines and their work. The API answers this to the account
// only.
func (v *visit) machines() (*page, error) {
	data, err := v.readMachines()
	if err != nil {
		return nil, err
	}
	return &page{Template: "machines", Title: "Machines", Trail: []crumb{{"Buckets", "/"}}, Data: data}, nil
}

// followMachines sends updates of the page of the machines.
func (v *visit) followMachines() (*page, error) {
	return v.follow(func() (*page, bool, error) {
		data, err := v.readMachines()
		return &page{Template: "machines", Fragment: "work", Data: data}, false, err
	})
}
