package cluster

import (
	"context"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/engine"
)

// An assignment is an attempt at a task, in this process.
type assignment struct {
	task
	cancel   context.CancelCauseFunc
	progress engine.Progress
	begun    time.Time
	stop     chan struct{} // closed when a slice is to end with its next page
	stopped  bool          // guarded by Runner.mu
	bucket   string        // guarded by Runner.mu; empty: not known yet
	expires  *time.Timer   // ends the attempt with its lease

	// How far it was, and since when; of beat alone.
	last  stocktake.Progress
	moved time.Time
}

// end has a slice end with its next page. It requires the lock.
func (a *assignment) end() {
	if !a.stopped {
		a.stopped = true
		close(a.stop)
	}
}

// beat renews the leases of the tasks that this process works on and keeps their
// progress. Those that were taken away are ended; those whose lease expires while the
// database cannot be asked end by themselves. Those that do not get on are left to
// others.
func (r *Runner) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Lease/2)
	defer cancel()
	asked := time.Now()
	r.mu.Lock()
	held := make([]*assignment, 0, len(r.busy))
	for _, a := range r.busy {
		held = append(held, a)
	}
	r.mu.Unlock()
	kept, scheduler, err := r.renew(ctx, held)
	r.mu.Lock()
	switch {
	case scheduler:
		r.duty = asked.Add(r.dutyLease())
	case err == nil:
		r.duty = time.Time{}
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	var stalled []*assignment
	for _, a := range held {
		if !kept[a.Task] {
			a.cancel(errLost)
			continue
		}
		a.expires.Reset(r.opts.Lease - time.Since(asked))
		if p := a.progress.Load(); p != a.last {
			a.last, a.moved = p, asked
		} else if a.tries() <= maxStalled && asked.Sub(a.moved) > r.opts.Stall {
			stalled = append(stalled, a)
		}
	}
	return r.giveBack(ctx, stalled)
}

// renew returns which of the assignments are still this process's, and whether it is
// the scheduler.
func (r *Runner) renew(ctx context.Context, held []*assignment) (kept map[int64]bool, scheduler bool, err error) {
	var ids, generations, listed, matched, bytes, written, shards []int64
	var workers []string
	for _, a := range held {
		p := a.progress.Load()
		ids, generations, workers = append(ids, a.Task), append(generations, int64(a.Generation)), append(workers, a.worker)
		listed, matched, bytes = append(listed, p.Listed), append(matched, p.Matched), append(bytes, p.Bytes)
		written, shards = append(written, p.Written), append(shards, int64(p.Shards))
	}
	m := &r.opts.Machine
	err = r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		kept = map[int64]bool{}
		if _, err := tx.Exec(ctx, `INSERT INTO processes (id, host, slots, seen, started, roles, version) VALUES ($1, $2, $3, $4, $4, $5, $6)
			ON CONFLICT (id) DO UPDATE SET slots = $3, seen = $4`,
			r.id, m.Name, r.slots(), tx.Now, strings.Join(m.Roles, ","), m.Version); err != nil {
			return err
		}
		var err error
		if scheduler, err = r.takeDuty(ctx, tx); err != nil {
			return err
		}
		if len(held) == 0 {
			return nil
		}
		rows, err := tx.Query(ctx, `UPDATE tasks t SET lease = $1, listed = n.listed, matched = n.matched, bytes = n.bytes, written = n.written, shards = n.shards
			FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
			AS n (id, generation, worker, listed, matched, bytes, written, shards)
			WHERE t.id = n.id AND t.generation = n.generation AND t.worker = n.worker AND t.done = 0 RETURNING t.id`,
			tx.Now+r.opts.Lease.Microseconds(), ids, generations, workers, listed, matched, bytes, written, shards)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			kept[id] = true
		}
		return rows.Err()
	})
	return kept, scheduler && err == nil, err
}

// slots returns how many slices this process scans at once; 0 while it ends.
func (r *Runner) slots() int {
	select {
	case <-r.drain:
		return 0
	default:
		return r.opts.Slots
	}
}
