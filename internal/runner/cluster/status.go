package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

const (
	selectMachines = `SELECT p.id, p.host, p.roles, p.version, p.started, p.seen, p.slots,
		EXISTS (SELECT 1 FROM duties d WHERE d.name = $2 AND d.owner = p.id AND d.lease > $3)
		FROM processes p WHERE p.seen >= $1 ORDER BY p.host, p.id`

	countWaiting = `SELECT count(*) FROM runs WHERE ended = 0 AND state = 'queued'
		AND ($1 = '' OR bucket = $1) AND ($2 = '' OR configuration = $2)`

	// $1 are ids of runs; n is the place of a run among them, from 1.
	selectLeads = `SELECT i.n, r.owner, coalesce(p.host, ''), (SELECT count(*) FROM tasks t WHERE t.run = r.id AND t.done = 1)
		FROM unnest($1::text[]) WITH ORDINALITY AS i (id, n) JOIN runs r ON r.id = i.id LEFT JOIN processes p ON p.id = r.owner`

	// Tasks of a listing belong to each run that shares it.
	selectOpenTasks = `SELECT i.n, t.kind, t.generation, t.worker, t.host, t.since, t.listed, t.matched, t.bytes
		FROM unnest($1::text[]) WITH ORDINALITY AS i (id, n) 
		JOIN works w ON w.run = i.id JOIN tasks t ON t.run = i.id OR t.listing = w.listing WHERE t.done = 0 ORDER BY t.id`
)

// Work implements [inventory.Team].
func (r *Runner) Work(ctx context.Context, bucket, id string) (w stocktake.Work, err error) {
	runs, err := r.catalog.BegunRuns(ctx, bucket, id)
	if err != nil {
		return stocktake.Work{}, err
	}
	err = r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		w = stocktake.Work{Machines: []stocktake.Machine{}, Runs: []stocktake.RunWork{}}
		if err := r.machines(ctx, tx, &w); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, countWaiting, bucket, id).Scan(&w.Waiting); err != nil {
			return err
		}
		ids := make([]string, len(runs))
		for i := range runs {
			ids[i] = runs[i].ID
			w.Runs = append(w.Runs, stocktake.RunWork{Run: runs[i], Tasks: []stocktake.RunTask{}})
		}
		if err := setHolders(ctx, tx, w.Runs, ids); err != nil {
			return err
		}
		return openTasks(ctx, tx, w.Runs, ids)
	})
	if err != nil {
		return stocktake.Work{}, fmt.Errorf("read the work of the servers: %w", err)
	}
	return w, nil
}

func (r *Runner) machines(ctx context.Context, tx postgres.Tx, w *stocktake.Work) error {
	rows, err := tx.Query(ctx, selectMachines, tx.Now-r.opts.Lease.Microseconds(), schedulerDuty, tx.Now)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var m stocktake.Machine
		var roles string
		var started, seen int64
		if err := rows.Scan(&m.ID, &m.Name, &roles, &m.Version, &started, &seen, &m.Slices, &m.Scheduler); err != nil {
			return err
		}
		m.Roles, m.Started, m.Seen = strings.Split(roles, ","), instant(started), instant(seen)
		w.Machines = append(w.Machines, m)
	}
	return rows.Err()
}

// setHolders sets the process that holds each run, and how many of its tasks have ended.
func setHolders(ctx context.Context, tx postgres.Tx, runs []stocktake.RunWork, ids []string) error {
	rows, err := tx.Query(ctx, selectLeads, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n, done int
		var machine, name string
		if err := rows.Scan(&n, &machine, &name, &done); err != nil {
			return err
		}
		runs[n-1].Machine, runs[n-1].Name, runs[n-1].Done = machine, name, done
	}
	return rows.Err()
}

// openTasks sets the tasks of each run that have not ended.
func openTasks(ctx context.Context, tx postgres.Tx, runs []stocktake.RunWork, ids []string) error {
	rows, err := tx.Query(ctx, selectOpenTasks, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var worker string
		var since int64
		t := stocktake.RunTask{State: stocktake.TaskWaiting}
		if err := rows.Scan(&n, &t.Kind, &t.Attempt, &worker, &t.Name, &since, &t.Listed, &t.Matched, &t.Bytes); err != nil {
			return err
		}
		t.Since = instant(since)
		if worker != "" {
			t.State, t.Machine = stocktake.TaskWorking, machineOf(worker)
		}
		runs[n-1].Tasks = append(runs[n-1].Tasks, t)
	}
	return rows.Err()
}

// machineOf returns the process of a worker.
func machineOf(worker string) string {
	id, _, _ := strings.Cut(worker, " ")
	return id
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
