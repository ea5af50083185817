package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/runner/local"
)

// maxFailures is how often a task may fail before its run fails. If a process ends or
// the database is unreachable, the task has not failed.
const maxFailures = 4

// work carries out the task that a job names, unless it is done. Its errors come only
// from the database: the sweeper then finds the task.
func (r *Runner) work(ctx context.Context, c call) error {
	if r.avoids(ctx, c.Task) {
		return nil // the sweeper wakes another process
	}
	begun := time.Now()
	t, ok, err := r.take(ctx, c)
	if err != nil || !ok {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &assignment{task: t, cancel: cancel, begun: time.Now(), moved: begun, stop: make(chan struct{})}
	a.expires = time.AfterFunc(r.opts.Lease-time.Since(begun), func() { cancel(errLost) })
	defer a.expires.Stop()
	r.mu.Lock()
	r.busy[t.Task] = a
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.busy, t.Task)
		r.mu.Unlock()
	}()
	err = r.perform(ctx, a)
	kept, end := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer end()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLost) || errors.Is(context.Cause(ctx), errLost):
		r.log.Warn("task lost: its lease expired, or its run has ended", "run", t.run, "task", t.Task, "kind", t.kind)
		return r.release(kept, &t)
	case errors.Is(context.Cause(ctx), errStalled):
		return nil
	case ctx.Err() != nil:
		return r.putBack(kept, &t, asNothing, 0)
	case errors.Is(err, object.ErrUnavailable):
		r.outage.failed("carry out a task", err)
		return r.retryUntilDone(kept, "hand a task back", func() error { return r.putBack(kept, &t, asNothing, dbPause) })
	}
	return r.failed(kept, a, err)
}

// claims reports whether this process can list the bucket of a slice: not while
// others keep all requests that its store allows.
func (r *Runner) claims(ctx context.Context, task int64) bool {
	if !slices.ContainsFunc(r.shares.uses, (*use).tight) {
		return true
	}
	var bucket string
	if err := r.db.Row(ctx, []any{&bucket}, `SELECT coalesce((SELECT bucket FROM runs WHERE id = t.run), (SELECT bucket FROM listings WHERE id = t.listing)) FROM tasks t WHERE t.id = $1`, task); err != nil {
		return true // it is gone, or work finds out why the database fails
	}
	u := r.useOf(bucket)
	return u == nil || u.claim(ctx)
}

// perform carries out the task according to its kind.
func (r *Runner) perform(ctx context.Context, a *assignment) error {
	if a.shared {
		return r.together(ctx, a)
	}
	run, err := r.catalog.Run(ctx, a.run)
	if err != nil {
		return err
	}
	cfg, err := r.catalog.RunConfiguration(ctx, run.ID)
	if err != nil {
		return err
	}
	r.mu.Lock()
	a.bucket = run.Bucket
	r.mu.Unlock()
	j := &job{assignment: a, Job: engine.Job{
		Run: run.ID, Attempt: a.Generation, Bucket: run.Bucket, Configuration: cfg, Expected: run.Expected,
	}}
	if j.src, err = r.one.Stores.Source(ctx, run.Bucket, &j.Configuration); err != nil {
		return err
	}
	if j.dst, err = r.one.Stores.Destination(ctx, &j.Configuration); err != nil {
		return err
	}
	switch a.kind {
	case planKind:
		return r.plan(ctx, j)
	case sliceKind:
		return r.slice(ctx, j)
	case sumKind:
		return r.sum(ctx, j)
	case publishKind:
		return r.publish(ctx, j)
	}
	return fmt.Errorf("task of kind %q, unknown to this version", a.kind)
}

// A job is what the engine needs to know of a task.
type job struct {
	*assignment
	engine.Job
	src engine.Source
	dst engine.Destination
}

// failed puts the task back for a while, or ends its run.
func (r *Runner) failed(ctx context.Context, a *assignment, err error) error {
	if errors.Is(err, stocktake.ErrNoSuchRun) || errors.Is(err, stocktake.ErrNoSuchInventory) {
		return r.release(ctx, &a.task) // the configuration was deleted
	}
	if n := a.failures + 1; n < maxFailures && !final(err) {
		r.avoid(a.run)
		pause := time.Duration(n*n) * time.Second
		r.log.Warn("task failed; restarting it", "run", a.run, "task", a.Task, "kind", a.kind, "retry_in", pause, "err", err)
		return r.putBack(ctx, &a.task, asFailure, pause)
	}
	if a.shared {
		return r.failedTogether(ctx, a, err)
	}
	reason := r.reason(ctx, a.run, err)
	return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		if ours, dbErr := dropTask(ctx, tx, &a.task); dbErr != nil || !ours {
			return dbErr
		}
		return r.fail(ctx, tx, a.run, reason, inventory.MayPass(err))
	})
}

// reason returns why a run fails, as its history shows it.
func (r *Runner) reason(ctx context.Context, run string, cause error) string {
	cfg, err := r.catalog.RunConfiguration(ctx, run)
	if err != nil {
		cfg = stocktake.InventoryConfiguration{} // the reason says less then
	}
	return inventory.Reason(cause, &cfg)
}

// final reports whether a retry would return the same error.
func final(err error) bool {
	if _, ok := errors.AsType[*engine.SpaceError](err); ok {
		return true
	}
	return errors.Is(err, stocktake.ErrNoSuchBucket) || errors.Is(err, stocktake.ErrAccessDenied) || errors.Is(err, engine.ErrRecordedLost)
}

// plan divides the bucket into slices, some for each slot.
func (r *Runner) plan(ctx context.Context, j *job) error {
	opts := r.options(j)
	var err error
	if opts.Workers, err = r.scanSlots(ctx, j.Bucket); err != nil {
		return err
	}
	o, err := engine.Plan(ctx, j.src, j.dst, j.Job, opts)
	if err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	inputs, err := encodeAll(o.Slices)
	if err != nil {
		return err
	}
	return r.finish(ctx, &j.task, nil, stocktake.Progress{}, func(ctx context.Context, tx postgres.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE works SET outline = $2, numbers = numbers + $3 WHERE run = $1`, j.run, string(text), len(o.Slices)); err != nil {
			return err
		}
		return r.add(ctx, tx, j.run, sliceKind, inputs...)
	})
}

// scanSlots returns how many slices of a bucket all processes can scan at once; at least 1. A
// bucket has at most as many slices as its store allows requests.
func (r *Runner) scanSlots(ctx context.Context, bucket string) (n int, err error) {
	err = r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		return tx.QueryRow(ctx, `SELECT coalesce(sum(slots), 0)::bigint FROM processes WHERE seen >= $1`, tx.Now-r.opts.Lease.Microseconds()).Scan(&n)
	})
	if most := r.concurrencyOf(bucket); most > 0 {
		n = min(n, most)
	}
	return max(n, 1), err
}

func encode(s *engine.Slice) (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}

func encodeAll(slices []engine.Slice) (inputs []string, err error) {
	inputs = make([]string, len(slices))
	for i := range slices {
		if inputs[i], err = encode(&slices[i]); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}

// errSummed ends a call of engine.Publish that was made only to build the report.
var errSummed = errors.New("the report has to be recorded")

// sum makes the report of the slices, which is not visible yet. The holder of the run
// records it.
func (r *Runner) sum(ctx context.Context, j *job) error {
	o, err := r.runPlan(ctx, j.run)
	if err != nil {
		return err
	}
	opts := r.options(j)
	var report []byte
	opts.Record = func(_ context.Context, summed []byte) ([]byte, error) {
		report = summed
		return nil, errSummed
	}
	result, err := engine.PublishFrom(ctx, j.dst, j.Job, o, &results{r: r, run: j.run}, opts)
	switch {
	case errors.Is(err, errSummed):
		return r.finish(ctx, &j.task, nil, stocktake.Progress{}, func(ctx context.Context, tx postgres.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE works SET report = $2 WHERE run = $1`, j.run, report); err != nil {
				return err
			}
			return notifyHolder(ctx, tx, j.run)
		})
	case err != nil:
		return err
	}
	return r.published(ctx, j, &result) // nothing matched, or it is published already
}

// publish publishes the recorded report.
func (r *Runner) publish(ctx context.Context, j *job) error {
	err := r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		return tx.QueryRow(ctx, `SELECT kept FROM works WHERE run = $1`, j.run).Scan(&j.Recorded)
	})
	if err != nil {
		return err
	}
	result, err := engine.Publish(ctx, j.dst, j.Job, engine.RunPlan{}, nil, r.options(j))
	if err != nil {
		return err
	}
	return r.published(ctx, j, &result)
}

// published keeps the outcome of a run for its holder.
func (r *Runner) published(ctx context.Context, j *job, result *engine.Result) error {
	outcome, err := json.Marshal(local.OutcomeOf(result))
	if err != nil {
		return err
	}
	return r.finish(ctx, &j.task, nil, stocktake.Progress{}, func(ctx context.Context, tx postgres.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE works SET outcome = $2 WHERE run = $1`, j.run, string(outcome)); err != nil {
			return err
		}
		return notifyHolder(ctx, tx, j.run)
	})
}
