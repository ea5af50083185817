package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/inventory"
)

// Run implements [inventory.Runner]: it coordinates a run that this process holds, from the
// state in which an earlier holder left it.
func (r *Runner) Run(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	if t.Window != nil { // the journal is of this process alone
		return r.one.Run(ctx, t)
	}
	var progress atomic.Pointer[stocktake.Progress]
	progress.Store(&stocktake.Progress{Expected: t.Run.Expected})
	t.Follow(func() stocktake.Progress { return *progress.Load() })
	recorded := t.Recorded != nil
	if recorded { // the run continues with publishing
		kept, err := t.Record(ctx, t.Recorded)
		if err != nil {
			return inventory.Outcome{}, err
		}
		t.Recorded = kept
	}
	if err := r.begin(ctx, &t); err != nil {
		return r.leave(ctx, &t, err)
	}
	heard, forget := r.heldRuns.of(t.Run.ID)
	defer forget()
	for {
		w, err := r.look(ctx, t.Run.ID, recorded)
		if err != nil {
			return r.leave(ctx, &t, err)
		}
		w.progress.Expected = max(w.progress.Expected, t.Run.Expected)
		progress.Store(&w.progress)
		switch {
		case w.failure != nil:
			return r.leave(ctx, &t, &failure{*w.failure, w.passes})
		case w.outcome != nil:
			var o inventory.Outcome
			err := json.Unmarshal([]byte(*w.outcome), &o)
			return o, err
		case w.report != nil && !recorded:
			kept, err := t.Record(ctx, w.report)
			if err != nil {
				return r.leave(ctx, &t, err)
			}
			recorded, t.Recorded = true, kept
			if err := r.begin(ctx, &t); err != nil {
				return r.leave(ctx, &t, err)
			}
		}
		select {
		case <-heard:
		case <-time.After(r.opts.Watch):
		case <-ctx.Done():
			return r.leave(ctx, &t, ctx.Err())
		}
	}
}

// begin adds the first task of a run, or the task that publishes a recorded report,
// unless it exists.
func (r *Runner) begin(ctx context.Context, t *inventory.Task) error {
	return r.retryUntilDone(ctx, "hold a run", func() error {
		return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
			kind := planKind
			if t.Recorded != nil {
				kind = publishKind
			}
			return r.beginWith(ctx, tx, t, kind)
		})
	})
}

// dbPause is the pause between attempts of a run to reach an unreachable database.
const dbPause = time.Second

// retryUntilDone repeats a step until the database carries it out or ctx ends: a run does not
// fail because the database is unreachable for a while. stocktake.ErrNoSuchRun counts
// as an answer.
func (r *Runner) retryUntilDone(ctx context.Context, action string, do func() error) error {
	for {
		err := do()
		if err == nil || ctx.Err() != nil || errors.Is(err, stocktake.ErrNoSuchRun) {
			return err
		}
		r.outage.failed(action, err)
		select {
		case <-time.After(dbPause):
		case <-ctx.Done():
			return err
		}
	}
}

func (r *Runner) beginWith(ctx context.Context, tx postgres.Tx, t *inventory.Task, kind string) error {
	// A run that is deleted meanwhile has no row to refer to.
	tag, err := tx.Exec(ctx, `INSERT INTO works (run) SELECT id FROM runs WHERE id = $1 ON CONFLICT (run) DO NOTHING`, t.Run.ID)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		var there bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM works WHERE run = $1)`, t.Run.ID).Scan(&there); err != nil {
			return err
		}
		if !there {
			return stocktake.ErrNoSuchRun
		}
	}
	if err := r.reopen(ctx, tx, t); err != nil {
		return err
	}
	if err := r.alone(ctx, tx, t.Run.ID); err != nil {
		if errors.Is(err, errLost) {
			return nil // it has failed: look says why
		}
		return err
	}
	if t.Recorded != nil {
		if _, err := tx.Exec(ctx, `UPDATE works SET kept = coalesce(kept, $2) WHERE run = $1`, t.Run.ID, t.Recorded); err != nil {
			return err
		}
	}
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM tasks WHERE run = $1 AND kind = $2)`, t.Run.ID, kind).Scan(&there); err != nil || there {
		return err
	}
	if kind == planKind {
		if shared, err := r.joinListing(ctx, tx, t); err != nil || shared {
			return err
		}
	}
	return r.add(ctx, tx, t.Run.ID, kind, "")
}

// leave ends the coordination of a run. If the run ends with it, its tasks are stopped. When
// no worker writes any more, their files are removed, unless the run may be tried
// again: then they are kept, and the next attempt resumes from them. If the run does
// not end, everything stays for the next holder.
func (r *Runner) leave(ctx context.Context, t *inventory.Task, cause error) (inventory.Outcome, error) {
	if ctx.Err() != nil && !inventory.GivenUp(ctx) {
		return inventory.Outcome{}, cause
	}
	if errors.Is(cause, stocktake.ErrNoSuchRun) && !inventory.GivenUp(ctx) {
		if _, err := r.catalog.Run(ctx, t.Run.ID); !errors.Is(err, stocktake.ErrNoSuchRun) {
			return inventory.Outcome{}, cause // it has another holder
		}
	}
	kept, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opts.Lease+endTimeout)
	defer cancel()
	if err := r.stop(kept, t, cause); err != nil {
		return inventory.Outcome{}, errors.Join(cause, fmt.Errorf("stop the tasks of the run: %w", err))
	}
	if inventory.MayPass(cause) && !inventory.GivenUp(ctx) {
		if err := r.pause(kept, t); err != nil {
			return inventory.Outcome{}, errors.Join(cause, fmt.Errorf("save the work of the run: %w", err))
		}
		return inventory.Outcome{}, cause
	}
	if err := r.Clean(kept, *t); err != nil {
		cause = errors.Join(cause, fmt.Errorf("remove the files of the run: %w", err))
	}
	return inventory.Outcome{}, cause
}
