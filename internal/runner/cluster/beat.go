package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

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
	members  []*member     // of a task of a listing: those that it writes for; guarded by Runner.mu; nil: not known yet
	expires  *time.Timer   // ends the attempt with its lease

	// The progress at the last beat, and since when it has not changed; only beat
	// uses them.
	last  stocktake.Progress
	moved time.Time
}

// now returns the progress; for a task of a listing, the progress of the member that
// has listed most. It requires the lock.
func (a *assignment) now() stocktake.Progress {
	p := a.progress.Load()
	for _, m := range a.members {
		p = ahead(p, m.progress.Load())
	}
	return p
}

// left returns about how many records the slice still has to read. It requires the lock.
func (a *assignment) left() int64 {
	n := a.progress.Left()
	for _, m := range a.members {
		n = max(n, m.progress.Left())
	}
	return n
}

// An assignmentState is the progress of an assignment when a beat began.
type assignmentState struct {
	*assignment
	progress stocktake.Progress
	writes   []*member // the members that it writes for
}

// end makes a slice end with its next page. It requires the lock.
func (a *assignment) end() {
	if !a.stopped {
		a.stopped = true
		close(a.stop)
	}
}

// beat renews the leases of the tasks that this process works on and records their
// progress. It ends tasks that were taken away; tasks whose lease expires while the
// database is unreachable end by themselves. Tasks without progress are left to
// others.
func (r *Runner) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Lease/2)
	defer cancel()
	asked := time.Now()
	r.mu.Lock()
	held := make([]assignmentState, 0, len(r.busy))
	for _, a := range r.busy {
		held = append(held, assignmentState{a, a.now(), slices.Clone(a.members)})
	}
	r.mu.Unlock()
	kept, wanted, scheduler, err := r.renew(ctx, held)
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
		if !kept[a.Task] || !a.dropUnwanted(wanted) {
			a.cancel(errLost)
			continue
		}
		a.expires.Reset(r.opts.Lease - time.Since(asked))
		if a.progress != a.last {
			a.last, a.moved = a.progress, asked
		} else if a.tries() <= maxStalled && asked.Sub(a.moved) > r.opts.Stall {
			stalled = append(stalled, a.assignment)
		}
	}
	return r.returnTasks(ctx, stalled)
}

// dropUnwanted ends the parts of the members that have left the listing. It returns false if
// all have.
func (s *assignmentState) dropUnwanted(wanted map[string]string) bool {
	some := len(s.writes) == 0
	for _, m := range s.writes {
		if wanted[m.run] == s.run {
			some = true
		} else {
			m.cancel()
		}
	}
	return some
}

// renew returns which of the assignments still belong to this process, the listings
// of the runs that share those of them that are of a listing, and whether this
// process is the scheduler.
func (r *Runner) renew(ctx context.Context, held []assignmentState) (kept map[int64]bool, wanted map[string]string, scheduler bool, err error) {
	var ids, generations, listed, matched, bytes, written, shards []int64
	var workers, listings []string
	var members []*string
	for _, a := range held {
		p := a.progress
		text, err := a.writing()
		if err != nil {
			return nil, nil, false, err
		}
		if members = append(members, text); a.shared {
			listings = append(listings, a.run)
		}
		ids, generations, workers = append(ids, a.Task), append(generations, int64(a.Generation)), append(workers, a.worker)
		listed, matched, bytes = append(listed, p.Listed), append(matched, p.Matched), append(bytes, p.Bytes)
		written, shards = append(written, p.Written), append(shards, int64(p.Shards))
	}
	m := &r.opts.Machine
	err = r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		kept = map[int64]bool{}
		if _, err := tx.Exec(ctx, `INSERT INTO processes (id, host, slots, seen, started, roles, version, tables) VALUES ($1, $2, $3, $4, $4, $5, $6, $7)
			ON CONFLICT (id) DO UPDATE SET slots = $3, seen = $4`,
			r.id, m.Name, r.slots(), tx.Now, strings.Join(m.Roles, ","), m.Version, r.db.Tables()); err != nil {
			return err
		}
		var err error
		if scheduler, err = r.takeDuty(ctx, tx); err != nil {
			return err
		}
		if len(held) == 0 {
			return nil
		}
		rows, err := tx.Query(ctx, `UPDATE tasks t SET lease = $1, listed = n.listed, matched = n.matched, bytes = n.bytes, written = n.written, shards = n.shards,
			members = coalesce(n.members::jsonb, t.members)
			FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[])
			AS n (id, generation, worker, listed, matched, bytes, written, shards, members)
			WHERE t.id = n.id AND t.generation = n.generation AND t.worker = n.worker AND t.done = 0 RETURNING t.id`,
			tx.Now+r.opts.Lease.Microseconds(), ids, generations, workers, listed, matched, bytes, written, shards, members)
		if err != nil {
			return err
		}
		ours, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		for _, id := range ours {
			kept[id] = true
		}
		wanted, err = r.wanted(ctx, tx, listings)
		return err
	})
	return kept, wanted, scheduler && err == nil, err
}

// wanted returns the listings of the runs that share some of those given and are not stopped.
func (r *Runner) wanted(ctx context.Context, tx postgres.Tx, listings []string) (map[string]string, error) {
	wanted := map[string]string{}
	if len(listings) == 0 {
		return wanted, nil
	}
	rows, err := tx.Query(ctx, `SELECT run, listing FROM works WHERE listing = ANY ($1) AND stopped = 0`, listings)
	if err != nil {
		return nil, err
	}
	var run, listing string
	_, err = pgx.ForEachRow(rows, []any{&run, &listing}, func() error {
		wanted[run] = listing
		return nil
	})
	return wanted, err
}

// writing returns the runs for which an assignment writes, in the form of
// tasks.members; nil if not known yet.
func (s *assignmentState) writing() (*string, error) {
	if s.writes == nil {
		return nil, nil
	}
	all := map[string]progressOf{}
	for _, m := range s.writes {
		p := m.progress.Load()
		all[m.run] = progressFrom(&p)
	}
	raw, err := json.Marshal(all)
	text := string(raw)
	return &text, err
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
