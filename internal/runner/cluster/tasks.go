package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// errLost means that an attempt may no longer write: the task was given to another
// worker, or its run has ended.
var errLost = errors.New("the task was lost")

// A task is a row of tasks, as an attempt has taken it.
type task struct {
	call
	run, kind, input string
	shared           bool   // it is of a listing, whose id run has; see listing.go
	worker           string // of this attempt alone
	spent            int    // attempts that do not count: see tries
	failures         int    // attempts that failed since the run was last tried again
}

// tries returns how many attempts there were, including this one, since the run was
// last tried again. Attempts that put their task back do not count.
func (t *task) tries() int { return t.Generation - t.spent }

// take begins an attempt. It returns false if there is nothing to do: the attempt is
// not the next one, or was begun already.
func (r *Runner) take(ctx context.Context, c call) (t task, ok bool, err error) {
	r.mu.Lock()
	r.begun++
	worker := fmt.Sprintf("%s %d", r.id, r.begun)
	r.mu.Unlock()
	err = r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		t, ok = task{call: c, worker: worker}, false
		err := tx.QueryRow(ctx, `UPDATE tasks t SET worker = $3, host = $4, lease = $5, since = $6,
			listed = 0, matched = 0, bytes = 0, written = 0, shards = 0, members = NULL
			WHERE id = $1 AND generation = $2 AND done = 0 AND worker = ''
			AND `+wantedTask+` RETURNING coalesce(run, listing), listing IS NOT NULL, kind, input, spent, failures`,
			c.Task, c.Generation, worker, r.opts.Machine.Name, tx.Now+r.opts.Lease.Microseconds(), tx.Now).Scan(&t.run, &t.shared, &t.kind, &t.input, &t.spent, &t.failures)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	return t, ok, err
}

// finish ends a task, if the attempt still owns it, and adds the tasks that follow.
// Commits of one run are serialised, so that the last one knows that it is the last.
func (r *Runner) finish(ctx context.Context, t *task, result any, p stocktake.Progress, follow func(context.Context, postgres.Tx) error) error {
	return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		if err := r.alone(ctx, tx, t.run); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE tasks SET done = 1, worker = '', result = $4,
			listed = $5, matched = $6, bytes = $7, written = $8, shards = $9
			WHERE id = $1 AND generation = $2 AND worker = $3 AND done = 0`,
			t.Task, t.Generation, t.worker, result, p.Listed, p.Matched, p.Bytes, p.Written, p.Shards)
		if err == nil && tag.RowsAffected() == 0 {
			err = errLost
		}
		if err != nil {
			return err
		}
		return follow(ctx, tx)
	})
}

// alone locks the work of a run that has not been stopped; else it returns errLost.
func (r *Runner) alone(ctx context.Context, tx postgres.Tx, run string) error {
	tag, err := tx.Exec(ctx, `UPDATE works SET stopped = 0 WHERE run = $1 AND stopped = 0`, run)
	if err == nil && tag.RowsAffected() == 0 {
		err = errLost
	}
	return err
}

// add adds tasks of a kind to a run, one for each input, and their jobs.
func (r *Runner) add(ctx context.Context, tx postgres.Tx, run, kind string, inputs ...string) error {
	return r.addTo(ctx, tx, run, "", kind, inputs)
}

// addShared adds tasks of a kind to a listing, one for each input, and their jobs.
func (r *Runner) addShared(ctx context.Context, tx postgres.Tx, listing, kind string, inputs ...string) error {
	return r.addTo(ctx, tx, "", listing, kind, inputs)
}

func (r *Runner) addTo(ctx context.Context, tx postgres.Tx, run, listing, kind string, inputs []string) error {
	calls := make([]call, len(inputs))
	for i, input := range inputs {
		calls[i].Generation = 1
		if err := tx.QueryRow(ctx, `INSERT INTO tasks (run, listing, kind, input, since) VALUES (nullif($1, ''), nullif($2, ''), $3, $4, $5) RETURNING id`,
			run, listing, kind, input, tx.Now).Scan(&calls[i].Task); err != nil {
			return err
		}
	}
	return r.wake(ctx, tx, kind, calls...)
}

// wake adds the jobs that begin attempts at tasks.
func (r *Runner) wake(ctx context.Context, tx postgres.Tx, kind string, calls ...call) error {
	if len(calls) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(calls))
	for i, c := range calls {
		params[i] = jobOf(kind, c)
	}
	inserted, err := r.river.InsertManyTx(ctx, tx.Tx, params)
	if err != nil {
		return err
	}
	tasks, jobs := make([]int64, len(calls)), make([]int64, len(calls))
	for i, c := range calls {
		tasks[i], jobs[i] = c.Task, inserted[i].Job.ID
	}
	_, err = tx.Exec(ctx, `UPDATE tasks SET job = n.job FROM unnest($1::bigint[], $2::bigint[]) AS n (id, job) WHERE tasks.id = n.id`, tasks, jobs)
	return err
}

// How an attempt that puts its task back counts.
type counts int

const (
	asNothing counts = iota // its process ends, or the database was away
	asTry
	asFailure // and as a try
)

// putBack puts a task back, for another attempt after a pause. Then the sweeper wakes
// a worker.
func (r *Runner) putBack(ctx context.Context, t *task, as counts, pause time.Duration) error {
	spent, failures := 0, 0
	switch as {
	case asNothing:
		spent = 1
	case asFailure:
		failures = 1
	}
	return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE tasks SET generation = generation + 1, worker = '', lease = 0, due = $4, job = 0, since = $5, spent = spent + $6, failures = failures + $7
			WHERE id = $1 AND generation = $2 AND worker = $3 AND done = 0`, t.Task, t.Generation, t.worker, tx.Now+pause.Microseconds(), tx.Now, spent, failures)
		return err
	})
}

// dropTask ends the work of an attempt at a task that will not be done. It returns false if the
// task no longer is the attempt's.
func dropTask(ctx context.Context, tx postgres.Tx, t *task) (ours bool, err error) {
	tag, err := tx.Exec(ctx, `UPDATE tasks SET worker = '' WHERE id = $1 AND generation = $2 AND worker = $3 AND done = 0`, t.Task, t.Generation, t.worker)
	return err == nil && tag.RowsAffected() > 0, err
}

// release records that an attempt whose task was taken away has ended: it no longer
// writes.
func (r *Runner) release(ctx context.Context, t *task) error {
	return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE tasks SET worker = '' WHERE id = $1 AND worker = $2`, t.Task, t.worker)
		return err
	})
}

// fail ends the work of a run, unless it has ended before. passes says that the
// reason may pass, so that the run may be tried again. The run leaves the listing
// that it shares.
func (r *Runner) fail(ctx context.Context, tx postgres.Tx, run, reason string, passes bool) error {
	if err := r.leaveListing(ctx, tx, run); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `UPDATE works SET failure = $2, passes = CASE WHEN $3 THEN 1 ELSE 0 END, stopped = 1 WHERE run = $1 AND stopped = 0`, run, reason, passes)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	if _, err = tx.Exec(ctx, `UPDATE tasks SET generation = generation + 1 WHERE run = $1 AND done = 0`, run); err != nil {
		return err
	}
	return notifyHolder(ctx, tx, run)
}
