package cluster

import (
	"context"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// schedulerDuty is the duty of recording due runs.
const schedulerDuty = "scheduler"

// dutyLease is how long a process keeps a duty that it does not renew.
func (r *Runner) dutyLease() time.Duration { return 3 * r.opts.Beat }

// takeDuty takes or renews the duty of the scheduler, unless another process has it.
// A process that ends releases it. It does not wait for other processes: one that
// stalls during its own beat would keep all from renewing their leases.
func (r *Runner) takeDuty(ctx context.Context, tx postgres.Tx) (bool, error) {
	if !r.opts.Schedules {
		return false, nil
	}
	select {
	case <-r.drain:
		return false, r.leaveDuty(ctx, tx)
	default:
	}
	tag, err := tx.Exec(ctx, `UPDATE duties SET owner = $2, lease = $3 WHERE name = (SELECT name FROM duties
		WHERE name = $1 AND (owner = $2 OR lease <= $4) FOR UPDATE SKIP LOCKED)`,
		schedulerDuty, r.id, tx.Now+r.dutyLease().Microseconds(), tx.Now)
	return err == nil && tag.RowsAffected() == 1, err
}

func (r *Runner) leaveDuty(ctx context.Context, tx postgres.Tx) error {
	_, err := tx.Exec(ctx, `UPDATE duties SET owner = '', lease = 0 WHERE owner = $1`, r.id)
	return err
}

// Schedules reports whether this process is the one that records due runs now. If the
// database is unreachable for longer than the lease of that duty, no process is.
func (r *Runner) Schedules() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.duty)
}
