package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/inventory"
)

// A failure is the reason why the tasks of a run have ended it, as stored in the
// database.
type failure struct {
	reason string
	passes bool
}

func (f *failure) Error() string { return f.reason }

// MayPass reports whether the reason may pass by itself: see [inventory.MayPass].
func (f *failure) MayPass() bool { return f.passes }

// errNotHeld means that another process has taken the run that this process was
// leading.
var errNotHeld = errors.New("another process has taken the run")

// held locks a run that this process holds according to t; else it returns
// errNotHeld.
func (r *Runner) held(ctx context.Context, tx postgres.Tx, t *inventory.Task) error {
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM runs WHERE id = $1 AND owner = $2 AND attempt = $3 AND ended = 0 FOR SHARE`,
		t.Run.ID, r.id, t.Run.Attempt).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return errNotHeld
	}
	return err
}

// writing reports whether a worker may be writing for the run $1.
const writing = `SELECT EXISTS (SELECT 1 FROM tasks WHERE run = $1 AND worker <> '' AND lease > $2)
	OR EXISTS (SELECT 1 FROM tasks WHERE listing IS NOT NULL AND members ? $1 AND worker <> '' AND lease > $2)`

// stop fences off the tasks of a run, and waits until their workers have noticed.
func (r *Runner) stop(ctx context.Context, t *inventory.Task, cause error) error {
	run := t.Run.ID
	gone := false
	err := r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		notHeld := r.held(ctx, tx, t)
		if notHeld != nil && !errors.Is(notHeld, errNotHeld) {
			return notHeld
		}
		err := tx.QueryRow(ctx, `SELECT NOT EXISTS (SELECT 1 FROM works WHERE run = $1)`, run).Scan(&gone)
		if err != nil || gone {
			return err
		}
		if notHeld != nil { // the next holder may have reopened the work
			return notHeld
		}
		return r.fail(ctx, tx, run, cause.Error(), inventory.MayPass(cause))
	})
	if gone { // workers notice with their next beat, and may have no row to say so
		select {
		case <-time.After(2 * r.opts.Beat):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for err == nil {
		var busy bool
		err = r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
			return tx.QueryRow(ctx, writing, run, tx.Now).Scan(&busy)
		})
		if err != nil || !busy {
			return err
		}
		select {
		case <-time.After(min(r.opts.Watch, 500*time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// pause keeps the work of a stopped run, so that its next attempt reopens it. If the
// process ends before it has recorded the time of that attempt, the next holder makes
// it at once.
func (r *Runner) pause(ctx context.Context, t *inventory.Task) error {
	return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		if err := r.held(ctx, tx, t); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE works SET paused = 1 WHERE run = $1 AND stopped = 1`, t.Run.ID)
		return err
	})
}

// reopen resumes the work of a paused run. The results of its slices stay. The other
// tasks begin again with new generations: an earlier attempt that was presumed dead
// can write nothing that counts.
func (r *Runner) reopen(ctx context.Context, tx postgres.Tx, t *inventory.Task) error {
	tag, err := tx.Exec(ctx, `UPDATE works SET stopped = 0, paused = 0, passes = 0, failure = NULL WHERE run = $1 AND paused = 1
		AND EXISTS (SELECT 1 FROM runs r WHERE r.id = works.run AND r.owner = $2 AND r.attempt = $3 AND r.ended = 0)`, t.Run.ID, r.id, t.Run.Attempt)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	r.log.Info("resuming a run where it failed", "run", t.Run.ID, "attempt", t.Run.Attempt)
	_, err = tx.Exec(ctx, `UPDATE tasks SET generation = generation + 1, spent = generation, failures = 0, worker = '', lease = 0, due = 0, job = 0, since = $2
		WHERE run = $1 AND done = 0`, t.Run.ID, tx.Now)
	return err
}
