package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// maxGenerations is how often a task is begun before its run fails: a task that
// crashes its process each time must not do so forever.
const maxGenerations = 10

// sweepBatch bounds what one transaction of a sweep changes.
const sweepBatch = 500

// sweep takes tasks away from workers that have sent no sign of life, wakes workers
// for tasks that wait without a job, and removes rows that are no longer needed. Any
// number of processes may sweep at once: each row is handled by one process.
func (r *Runner) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Lease)
	defer cancel()
	err := r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		if _, err := tx.Exec(ctx, endLostJobs, tx.Now-r.opts.Lease.Microseconds(), lostAfter.Microseconds()); err != nil {
			return err
		}
		if err := r.takeAway(ctx, tx); err != nil {
			return err
		}
		return r.wakeWaiting(ctx, tx)
	})
	if err != nil {
		return err
	}
	return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		if _, err := tx.Exec(ctx, forgetListings, tx.Now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM works w USING runs r WHERE r.id = w.run AND r.ended <> 0`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM store_shares WHERE lease < $1`, tx.Now-r.opts.Lease.Microseconds()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM processes WHERE seen < $1`, tx.Now-1000*r.opts.Lease.Microseconds())
		return err
	})
}

// endLostJobs ends jobs that River has assigned to processes that will not carry them
// out. These are processes without a sign of life since $1, which may have died or
// stalled between being assigned a job and taking its task, and processes that do not
// know of the job, because the answer to their fetch was lost. The latter have not
// taken the task for lostAfter. Otherwise such a job would be left until River finds
// it stuck. Ending a job that is merely slow is harmless: its row does not decide
// whether it is carried out.
const endLostJobs = `UPDATE river_job j SET state = 'discarded', finalized_at = now() WHERE j.state = 'running' AND (NOT EXISTS
	(SELECT 1 FROM processes p WHERE p.id = j.attempted_by[array_upper(j.attempted_by, 1)] AND p.seen >= $1)
	OR j.attempted_at < now() - $2::bigint * interval '1 microsecond' AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job = j.id AND t.worker <> ''))`

// lostAfter is longer than a process needs from fetching a job to taking its task, or
// from the end of a task to the end of its job.
const lostAfter = 20 * time.Second

// wantedTask is the condition that a task t belongs to unfinished work, or to a
// listing that runs share.
const wantedTask = `(EXISTS (SELECT 1 FROM works w WHERE w.run = t.run AND w.stopped = 0) OR EXISTS (SELECT 1 FROM works w WHERE w.listing = t.listing))`

// expired selects the tasks of unfinished work whose worker has sent no sign of life.
const expired = `SELECT t.id, coalesce(t.run, t.listing), t.listing IS NOT NULL, t.kind, t.generation, t.spent, t.host FROM tasks t
	WHERE t.done = 0 AND t.worker <> '' AND t.lease < $1 AND ` + wantedTask + ` ORDER BY t.id LIMIT $2 FOR UPDATE OF t SKIP LOCKED`

// waiting selects the tasks of unfinished work that are due and have no job that
// River will carry out.
const waiting = `SELECT t.id, coalesce(t.run, t.listing), t.listing IS NOT NULL, t.kind, t.generation, t.spent, t.host FROM tasks t
	WHERE t.done = 0 AND t.worker = '' AND t.due <= $1 AND ` + wantedTask + ` AND NOT EXISTS
	(SELECT 1 FROM river_job j WHERE j.id = t.job AND j.state IN ('available', 'pending', 'scheduled', 'retryable', 'running'))
	ORDER BY t.id LIMIT $2 FOR UPDATE OF t SKIP LOCKED`

type swept struct {
	task
	host string
}

func (r *Runner) find(ctx context.Context, tx postgres.Tx, query string) (found []swept, err error) {
	rows, err := tx.Query(ctx, query, tx.Now, sweepBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s swept
		if err := rows.Scan(&s.Task, &s.run, &s.shared, &s.kind, &s.Generation, &s.spent, &s.host); err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, rows.Err()
}

func (r *Runner) takeAway(ctx context.Context, tx postgres.Tx) error {
	found, err := r.find(ctx, tx, expired)
	if err != nil {
		return err
	}
	for _, s := range found {
		r.log.Warn("worker lost; restarting its task", "run", s.run, "task", s.Task, "kind", s.kind, "machine", s.host, "generation", s.Generation)
		if s.tries() >= maxGenerations {
			reason := fmt.Sprintf("%d processes ended during the same part of the run, the last one on %s; look for the cause in its log, then run it again", s.tries(), s.host)
			fail := func() error { return r.fail(ctx, tx, s.run, reason, false) }
			if s.shared {
				fail = func() error {
					return r.failListing(ctx, tx, s.run, func(string) string { return reason }, false)
				}
			}
			if err := fail(); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Exec(ctx, `UPDATE tasks SET generation = generation + 1, worker = '', lease = 0, since = $2 WHERE id = $1`, s.Task, tx.Now); err != nil {
			return err
		}
		if err := r.wake(ctx, tx, s.kind, call{s.Task, s.Generation + 1}); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) wakeWaiting(ctx context.Context, tx postgres.Tx) error {
	found, err := r.find(ctx, tx, waiting)
	if err != nil {
		return err
	}
	byKind := map[string][]call{}
	for _, s := range found {
		byKind[s.kind] = append(byKind[s.kind], s.call)
	}
	for kind, calls := range byKind {
		if err := r.wake(ctx, tx, kind, calls...); err != nil {
			return err
		}
	}
	return nil
}
