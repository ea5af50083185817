package cluster

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/engine"
)

// minRest is how many records justify a slice of their own if the scan does not
// say where to cut: listing that many takes longer than beginning a slice.
const minRest = 10_000

// slotsQuery returns how many slots for slices the processes have that renewed
// themselves within $1 microseconds, how many slices are open, and how many of these
// belong to the run, or the listing, $2.
const slotsQuery = `SELECT coalesce(sum(p.slots), 0)::bigint, (SELECT count(*) FROM tasks WHERE done = 0 AND kind = 'slice'),
	(SELECT count(*) FROM tasks WHERE done = 0 AND kind = 'slice' AND coalesce(run, listing) = $2)
	FROM processes p WHERE p.seen >= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1`

// queryRower is a transaction or a connection pool.
type queryRower interface {
	QueryRow(ctx context.Context, text string, args ...any) pgx.Row
}

// idle returns how many further slices of a run could be scanned now, and how many
// slices of all runs are open. A bucket has at most as many slices as its store
// allows requests.
func (r *Runner) idle(ctx context.Context, q queryRower, run, bucket string) (free, open int, err error) {
	var slots, ofRun int
	if err := q.QueryRow(ctx, slotsQuery, r.opts.Lease.Microseconds(), run).Scan(&slots, &open, &ofRun); err != nil {
		return 0, 0, err
	}
	free = slots - open
	if most := r.concurrencyOf(bucket); most > 0 {
		free = min(free, most-ofRun)
	}
	return max(free, 0), open, nil
}

// offer ends a slice of this process early if slots are idle, so that the rest of it
// can be shared. It ends only slices that have run for a while and will continue for
// a while. The probability is the number of idle slots for each slice that is being
// scanned, because all processes look at the same time.
func (r *Runner) offer(ctx context.Context) error {
	var sharable []*assignment
	var buckets []string
	var left []int64
	r.mu.Lock()
	for _, a := range r.busy {
		if !a.stopped && a.bucket != "" && r.sharable(a) {
			sharable, buckets, left = append(sharable, a), append(buckets, a.bucket), append(left, a.left())
		}
	}
	r.mu.Unlock()
	if len(sharable) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.Lease/2)
	defer cancel()
	// One slice at a time is enough to find work for all in a few rounds: the one
	// with most left.
	n := 0
	for i := range sharable {
		if left[i] > left[n] {
			n = i
		}
	}
	free, open, err := r.idle(ctx, r.db.Pool(), sharable[n].run, buckets[n])
	if err != nil || free == 0 || rand.Float64() >= float64(free*len(sharable))/float64(max(open, 1)) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sharable[n].end()
	return nil
}

// sharable reports whether ending a slice early is worthwhile: it has run for a
// while, and the rest of it will take at least as long. A slice that has read nothing
// yet would only be begun again. It requires the lock.
func (r *Runner) sharable(a *assignment) bool {
	gone := time.Since(a.begun)
	listed := a.now().Listed
	if a.kind != sliceKind || gone < r.opts.Least || listed == 0 {
		return false
	}
	return float64(a.left()) >= float64(listed)*r.opts.Least.Seconds()/gone.Seconds()
}

// share returns the rest of slices, in more pieces if slots are idle, each about as
// large.
func (r *Runner) share(ctx context.Context, tx postgres.Tx, t *task, bucket string, results []engine.SliceResult) (rests []engine.Slice, err error) {
	var open []*engine.SliceResult
	left, useful := int64(0), 0
	for i := range results {
		if s := &results[i]; !s.Done {
			open = append(open, s)
			left += max(s.Left, 1)
			if useful += 1 + len(s.Cuts); s.Cuts == nil {
				useful += int(s.Left / minRest)
			}
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	// The slot of the slice itself is free by now.
	free, _, err := r.idle(ctx, tx, t.run, bucket)
	if err != nil {
		return nil, err
	}
	pieces := min(free, useful)
	more := max(pieces-len(open), 0)
	number := 0 // of the next segment
	if more > 0 {
		take := `UPDATE works SET numbers = numbers + $2 WHERE run = $1 RETURNING numbers - $2`
		if t.shared {
			take = `UPDATE listings SET numbers = numbers + $2 WHERE id = $1 RETURNING numbers - $2`
		}
		if err := tx.QueryRow(ctx, take, t.run, more).Scan(&number); err != nil {
			return nil, err
		}
	}
	for _, s := range open {
		extra := int(float64(more) * float64(max(s.Left, 1)) / float64(left))
		parts := s.Shares(1+extra, number)
		number += len(parts) - 1
		more -= len(parts) - 1
		left -= max(s.Left, 1)
		rests = append(rests, parts...)
		left = max(left, 1)
	}
	return rests, nil
}
