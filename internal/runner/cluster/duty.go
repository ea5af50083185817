package cluster

import (
	"context"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// schedulerDuty is the duty of recording the runs that are due.
const schedulerDuty = "scheduler"

// dutyLease is how long a process has a duty that it does not renew.
func (r *Runner) dutyLease() time.Duration { return 3 * r.opts.Beat }

// takeDuty takes or renews the duty of the scheduler, unless another process has it. A
// process that ends gives it up.
func (r *Runner) takeDuty(ctx context.Context, tx postgres.Tx) (bool, error) {
	if !r.opts.Schedules {
		return false, nil
	}
	select {
	case <-r.drain:
		return false, r.leaveDuty(ctx, tx)
	default:
	}
	tag, err := tx.Exec(ctx, `INSERT INTO duties (name, owner, lease) VALUES ($1, $2, $3) ON CONFLICT (name)
		DO UPDATE SET owner = $2, lease = $3 WHERE duties.owner = $2 OR duties.lease <= $4`,
		schedulerDuty, r.id, tx.Now+r.dutyLease().Microseconds(), tx.Now)
	return err == nil && tag.RowsAffected() == 1, err
}

func (r *Runner) leaveDuty(ctx context.Context, tx postgres.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM duties WHERE owner = $1`, r.id)
	return err
}

// Schedules reports whether this process is the one that records the runs that are due
// now. If the database is away for longer than the lease of that duty, no process is.
func (r *Runner) Schedules() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.duty)
}
