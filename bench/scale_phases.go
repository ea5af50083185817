package main

import (
	"context"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/measure"
)

// phasesQuery returns when the tasks of a kind were added, begun and done, as the
// jobs that woke workers tell, all in seconds after $1.
const phasesQuery = `SELECT count(*), coalesce(extract(epoch FROM min(created_at) - $1), 0)::float8,
	coalesce(extract(epoch FROM min(attempted_at) - $1), 0)::float8, coalesce(extract(epoch FROM max(finalized_at) - $1), 0)::float8,
	coalesce(sum(extract(epoch FROM attempted_at - created_at)) / greatest(count(*), 1), 0)::float8
	FROM river_job WHERE kind = $2 AND created_at >= $1`

// phases returns where the time of a run has gone: until the first slice began, until
// the last one was done, until the report was summed up, and until it was published;
// and how long slices waited for a worker, on average.
func (m *machines) phases(ctx context.Context, run *stocktake.Run) (figures []measure.Figure, err error) {
	select {
	case <-time.After(time.Second): // River notes the ends of jobs a little later
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	before := 0.0
	for _, kind := range []string{"plan", "slice", "sum", "publish"} {
		var n int64
		var added, begun, done, wait float64
		if err := m.db.QueryRow(ctx, phasesQuery, run.Queued, "stocktake_"+kind).Scan(&n, &added, &begun, &done, &wait); err != nil {
			return nil, err
		}
		figures = append(figures, measure.Figure{Value: begun - before, Unit: "s-to-" + kind}, measure.Figure{Value: done - begun, Unit: "s-" + kind})
		if kind == "slice" {
			figures = append(figures, measure.Figure{Value: float64(n), Unit: "slices"}, measure.Figure{Value: 1000 * wait, Unit: "ms-wait"})
		}
		before = done
	}
	return append(figures, measure.Figure{Value: run.Ended.Sub(run.Queued).Seconds() - before, Unit: "s-to-end"}), nil
}
