package cluster

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/engine"
)

// worthSlice is how many records are worth a slice of their own: listing so many
// takes longer than beginning a slice does.
const worthSlice = 10_000

// placesQuery returns how many places for slices are free, and how many slices are
// open, of the processes that were heard of within $1 microseconds.
const placesQuery = `SELECT coalesce(sum(p.slots), 0)::bigint - (SELECT count(*) FROM tasks WHERE done = 0 AND kind = 'slice'),
	(SELECT count(*) FROM tasks WHERE done = 0 AND kind = 'slice') FROM processes p WHERE p.seen >= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1`

// offer has one of this process's slices end early if places are idle, so that what
// is left of it can be shared. Only slices are ended that have gone on for a while
// and will go on for a while. The chance is how many idle places there are for each
// slice that is being scanned: all processes look at the same time.
func (r *Runner) offer(ctx context.Context) error {
	var worth []*assignment
	r.mu.Lock()
	for _, a := range r.busy {
		if !a.stopped && r.sharable(a) {
			worth = append(worth, a)
		}
	}
	r.mu.Unlock()
	if len(worth) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.Lease/2)
	defer cancel()
	var free, open int64
	err := r.db.Pool().QueryRow(ctx, placesQuery, r.opts.Lease.Microseconds()).Scan(&free, &open)
	if err != nil || free <= 0 || open <= 0 {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range worth {
		if rand.Float64() < float64(free)/float64(open) {
			a.end()
			break // one at a time is enough to find work for all in a few rounds
		}
	}
	return nil
}

// sharable reports whether it is worth ending a slice early: it has gone on for a
// while, and what is left of it will take as long at least. One that has read nothing
// yet would only be begun again.
func (r *Runner) sharable(a *assignment) bool {
	gone := time.Since(a.begun)
	listed := a.progress.Load().Listed
	if a.kind != sliceKind || gone < r.opts.Least || listed == 0 {
		return false
	}
	return float64(a.progress.Left()) >= float64(listed)*r.opts.Least.Seconds()/gone.Seconds()
}

// share returns what is left of slices, in more pieces if places are idle, each
// about as large.
func (r *Runner) share(ctx context.Context, tx postgres.Tx, run string, results []engine.SliceResult) (rests []engine.Slice, err error) {
	var open []*engine.SliceResult
	left := int64(0)
	for i := range results {
		if !results[i].Done {
			open = append(open, &results[i])
			left += max(results[i].Left, 1)
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	var free, others int64
	if err := tx.QueryRow(ctx, placesQuery, r.opts.Lease.Microseconds()).Scan(&free, &others); err != nil {
		return nil, err
	}
	// The place of the slice itself is free by now.
	pieces := min(int(free), max(int(left/worthSlice), 1))
	more := max(pieces-len(open), 0)
	number := 0 // of the next segment
	if more > 0 {
		if err := tx.QueryRow(ctx, `UPDATE works SET numbers = numbers + $2 WHERE run = $1 RETURNING numbers - $2`, run, more).Scan(&number); err != nil {
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
