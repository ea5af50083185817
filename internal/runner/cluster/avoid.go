package cluster

import (
	"context"
	"errors"
	"time"
)

// errStalled means that a process has put a task back because the task made no
// progress.
var errStalled = errors.New("the task made no progress and was left to another process")

const (
	// avoidFor is how long a process leaves the tasks of a run to others after it
	// could not carry one out: it may be cut off from a store that others reach.
	avoidFor = time.Minute

	// maxStalled is the last attempt at which a stalled task is put back. If no
	// process gets answers from a store, further attempts do not help.
	maxStalled = 2
)

// avoid makes this process leave the tasks of a run to others for a while.
func (r *Runner) avoid(run string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for run, until := range r.avoided {
		if now.After(until) {
			delete(r.avoided, run)
		}
	}
	r.avoided[run] = now.Add(avoidFor)
}

// avoids reports whether to leave a task to other processes that exist. It is false
// if the database cannot be read.
func (r *Runner) avoids(ctx context.Context, task int64) bool {
	r.mu.Lock()
	none := len(r.avoided) == 0
	r.mu.Unlock()
	if none {
		return false
	}
	var run string
	if err := r.db.Row(ctx, []any{&run}, `SELECT coalesce(run, listing) FROM tasks WHERE id = $1`, task); err != nil {
		return false
	}
	r.mu.Lock()
	until, ok := r.avoided[run]
	r.mu.Unlock()
	return ok && time.Now().Before(until) && r.others(ctx)
}

// others reports whether there are other processes that carry out tasks. It is false
// if the database cannot be read.
func (r *Runner) others(ctx context.Context) (there bool) {
	err := r.db.Row(ctx, []any{&there}, `SELECT EXISTS (SELECT 1 FROM processes WHERE id <> $1 AND slots > 0
		AND seen >= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $2)`, r.id, r.opts.Lease.Microseconds())
	return err == nil && there
}

// returnTasks puts tasks back that make no progress here, so that other processes begin
// them again. The attempts of this process are fenced off before they have ended,
// because their cleanup may wait for the same store.
func (r *Runner) returnTasks(ctx context.Context, stalled []*assignment) error {
	if len(stalled) == 0 || !r.others(ctx) {
		return nil
	}
	for _, a := range stalled {
		r.log.Warn("task makes no progress; leaving it to another process", "run", a.run, "task", a.Task, "kind", a.kind, "stalled", r.opts.Stall)
		r.avoid(a.run)
		if err := r.putBack(ctx, &a.task, asTry, 0); err != nil {
			return err
		}
		a.cancel(errStalled)
	}
	return nil
}
