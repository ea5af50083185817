package cluster

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake"
)

// A work is the progress of a run.
type work struct {
	report           []byte // nil: it is not summed up yet, or was not asked for
	outcome, failure *string
	passes           bool // the reason of failure may pass
	progress         stocktake.Progress
}

// lookQuery reads the progress of the run $1. The report is large: it is left out if
// $2 says so. The run's part of unfinished slices of its listing is in these slices.
const lookQuery = `SELECT CASE WHEN NOT $2 THEN w.report END, w.outcome, w.failure, w.passes <> 0, coalesce((w.outline::json ->> 'Expected')::bigint, 0),
	t.listed + m.listed, t.matched + m.matched, t.bytes + m.bytes, t.written + m.written, t.shards + m.shards
	FROM works w, LATERAL (SELECT coalesce(sum(listed), 0)::bigint AS listed, coalesce(sum(matched), 0)::bigint AS matched,
		coalesce(sum(bytes), 0)::bigint AS bytes, coalesce(sum(written), 0)::bigint AS written, coalesce(sum(shards), 0)::bigint AS shards FROM tasks WHERE run = w.run) t,
	LATERAL (SELECT coalesce(sum((p ->> 0)::bigint), 0)::bigint AS listed, coalesce(sum((p ->> 1)::bigint), 0)::bigint AS matched,
		coalesce(sum((p ->> 2)::bigint), 0)::bigint AS bytes, coalesce(sum((p ->> 3)::bigint), 0)::bigint AS written, coalesce(sum((p ->> 4)::bigint), 0)::bigint AS shards
		FROM (SELECT members -> w.run AS p FROM tasks WHERE listing = w.listing AND done = 0 AND worker <> '') s) m
	WHERE w.run = $1`

// look returns the progress of a run; stocktake.ErrNoSuchRun if it is gone.
func (r *Runner) look(ctx context.Context, run string, recorded bool) (w work, err error) {
	err = r.retryUntilDone(ctx, "hold a run", func() error {
		p := &w.progress
		err := r.db.Row(ctx, []any{
			&w.report, &w.outcome, &w.failure, &w.passes, &p.Expected, &p.Listed, &p.Matched, &p.Bytes, &p.Written, &p.Shards,
		}, lookQuery, run, recorded)
		if errors.Is(err, pgx.ErrNoRows) {
			err = stocktake.ErrNoSuchRun
		}
		return err
	})
	return w, err
}
