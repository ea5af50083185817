package machines

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/farserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// phasesQuery returns when the tasks of a kind were added, begun and done, according
// to the jobs that woke workers, all in seconds after $1.
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

// pagesAt is how many pages were answered until a time.
type pagesAt struct {
	at    time.Time
	pages int64
}

// watchPages notes how many pages the simulator has answered, ten times a second, until
// the function that it returns is called.
func (m *machines) watchPages(ctx context.Context) (stop func() []pagesAt) {
	end, seen := make(chan struct{}), make(chan []pagesAt)
	go func() {
		var all []pagesAt
		for {
			if n, _, err := farserver.Stats(ctx, m.far.URL); err == nil { // else the run fails, too
				all = append(all, pagesAt{time.Now(), n})
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-end:
				seen <- all
				return
			}
		}
	}()
	return func() []pagesAt { close(end); return <-seen }
}

// slicesQuery returns how many slices were scanned, and how many waited, at times.
const slicesQuery = `SELECT (SELECT count(*) FROM river_job j WHERE j.kind = 'stocktake_slice' AND j.attempted_at <= t.at AND j.finalized_at > t.at),
	(SELECT count(*) FROM river_job j WHERE j.kind = 'stocktake_slice' AND j.created_at <= t.at AND j.attempted_at > t.at)
	FROM unnest($1::timestamptz[]) WITH ORDINALITY AS t (at, n) ORDER BY n`

// tenths returns for each tenth of a run, for people: which part of the places was busy, how many slices
// were scanned and how many waited in its middle.
func (m *machines) tenths(ctx context.Context, run *stocktake.Run, pages []pagesAt, latency time.Duration, places int) (text string, err error) {
	took := run.Ended.Sub(run.Queued)
	until := func(at time.Time) float64 { // pages, between two looks in proportion
		for i := 1; i < len(pages); i++ {
			a, b := pages[i-1], pages[i]
			if !b.at.Before(at) {
				return float64(a.pages) + float64(b.pages-a.pages)*max(0, at.Sub(a.at).Seconds()/b.at.Sub(a.at).Seconds())
			}
		}
		return float64(pages[len(pages)-1].pages)
	}
	var middles []time.Time
	for i := range 10 {
		middles = append(middles, run.Queued.Add(took*time.Duration(2*i+1)/20))
	}
	rows, err := m.db.Query(ctx, slicesQuery, middles)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "%8s %8s %8s %8s\n", "s", "%-busy", "slices", "waiting")
	for i := 0; rows.Next(); i++ {
		var scanned, waiting int64
		if err := rows.Scan(&scanned, &waiting); err != nil {
			return "", err
		}
		from, to := run.Queued.Add(took*time.Duration(i)/10), run.Queued.Add(took*time.Duration(i+1)/10)
		busy := (until(to) - until(from)) * latency.Seconds() / (to.Sub(from).Seconds() * float64(places))
		fmt.Fprintf(&b, "%8.1f %8.0f %8d %8d\n", from.Sub(run.Queued).Seconds(), 100*busy, scanned, waiting)
	}
	return b.String(), rows.Err()
}
