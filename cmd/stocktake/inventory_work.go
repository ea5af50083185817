package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
)

// work returns the machines and their tasks.
func (l *statusLook) work(ctx context.Context) (stocktake.Work, error) {
	if !l.All {
		return l.cl.Work(ctx, l.Bucket, l.ID)
	}
	admin, err := l.admin()
	if err != nil {
		return stocktake.Work{}, err
	}
	w, err := admin.Work(ctx)
	if refused, ok := errors.AsType[*client.AdminError](err); ok && refused.StatusCode == http.StatusForbidden {
		return w, errors.New("--work with --all needs a key of the account; name a bucket (-b)")
	}
	if l.ID != "" {
		w.Runs = slices.DeleteFunc(w.Runs, func(r stocktake.RunWork) bool { return r.Run.Configuration != l.ID })
	}
	return w, err
}

// machines returns which machines work on the runs in progress, in words, by id of the run. It is
// empty if there is one machine, or if the server does not know the request.
func (l *statusLook) machines(ctx context.Context, all []stocktake.InventoryStatus) (map[string]string, error) {
	on, asked := map[string]string{}, map[string]bool{}
	for _, s := range all {
		if s.Last == nil || s.Last.State.Ended() || s.Last.State == stocktake.Queued || asked[s.Bucket] {
			continue
		}
		asked[s.Bucket] = true
		w, err := l.cl.Work(ctx, s.Bucket, "")
		if errors.Is(err, client.ErrNotSupported) || errors.Is(err, stocktake.ErrNoSuchBucket) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(w.Machines) < 2 {
			continue
		}
		for i := range w.Runs {
			if names := workersOf(&w.Runs[i]); names != "" {
				on[w.Runs[i].Run.ID] = " on " + names
			}
		}
	}
	return on, nil
}

// maxNames is how many machines the line of a run names.
const maxNames = 3

// workersOf names the machines that work on the tasks of a run; "" if none does.
func workersOf(r *stocktake.RunWork) string {
	var names []string
	for _, t := range r.Tasks {
		if t.State == stocktake.TaskWorking && !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	if more := len(names) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

// printWork prints a table of the machines and one of their tasks.
func printWork(w io.Writer, work *stocktake.Work, asJSON bool) error {
	if asJSON {
		return terminal.NewEncoder(w).Encode(work)
	}
	now := time.Now()
	t := terminal.NewTable(w, "MACHINE", "ROLES", "VERSION", "STARTED", "SEEN", "SLICES", "SCHEDULER")
	for _, m := range work.Machines {
		busy, scheduler := 0, "-"
		for i := range work.Runs {
			for _, task := range work.Runs[i].Tasks {
				if task.Machine == m.ID && task.Kind == stocktake.TaskSlice {
					busy++
				}
			}
		}
		slots := "-"
		if m.Slices > 0 {
			slots = fmt.Sprintf("%d of %d", busy, m.Slices)
		}
		if m.Scheduler {
			scheduler = "yes"
		}
		t.Row(m.Name, strings.Join(m.Roles, ","), orDash(m.Version), human.Ago(now, m.Started), human.Ago(now, m.Seen), slots, scheduler)
	}
	if err := t.Flush("no machines"); err != nil {
		return err
	}
	for _, duty := range []struct{ role, effect string }{{"worker", "runs wait"}, {"scheduler", "nothing falls due"}} {
		if len(work.Machines) > 0 && !slices.ContainsFunc(work.Machines, func(m stocktake.Machine) bool { return slices.Contains(m.Roles, duty.role) }) {
			sayf(w, "no machine has the role %s: %s until one starts\n", duty.role, duty.effect)
		}
	}
	if _, err := sayln(w); err != nil {
		return err
	}
	t = terminal.NewTable(w, "BUCKET", "ID", "RUN", "LEAD", "TASK", "STATE", "ATTEMPT", "MACHINE", "SINCE", "ROWS", "BYTES")
	for i := range work.Runs {
		r := &work.Runs[i]
		run := []any{r.Run.Bucket, r.Run.Configuration, r.Run.ID, orDash(r.Name)}
		if len(r.Tasks) == 0 {
			t.Row(append(run, "-", r.Run.State, r.Run.Attempt, "-", human.Ago(now, r.Run.Started), count(r.Run.Listed), size(r.Run.Bytes))...)
		}
		for _, task := range r.Tasks {
			t.Row(append(run, task.Kind, task.State, task.Attempt, orDash(task.Name), human.Ago(now, task.Since), count(task.Listed), size(task.Bytes))...)
		}
	}
	if err := t.Flush("no runs in progress"); err != nil {
		return err
	}
	if work.Waiting > 0 {
		if _, err := sayf(w, "%s runs wait\n", count(work.Waiting)); err != nil {
			return err
		}
	}
	return nil
}
