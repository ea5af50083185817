package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/engine"
)

// worthShard is how many rows behind a gap justify a shard of their own. Fewer are
// dropped and listed again, which costs less than one more file in each report.
const worthShard = 2000

// slice scans a slice, and commits its shards, its totals and the rest of it.
func (r *Runner) slice(ctx context.Context, j *job) error {
	var slice engine.Slice
	if err := json.Unmarshal([]byte(j.input), &slice); err != nil {
		return fmt.Errorf("the saved slice: %w", err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go r.endWithProcess(j.assignment, ended)
	opts := r.options(j)
	r.tuneSlice(&opts, j.Bucket, j.stop)
	results, err := r.opts.Scan(ctx, j.src, j.dst, j.Job, slice, opts)
	if err != nil {
		return err
	}
	err = r.commit(ctx, j, results)
	if err != nil && !errors.Is(err, postgres.ErrUnknown) {
		return errors.Join(err, r.discard(ctx, j.dst, results))
	}
	return err
}

// tuneSlice sets the options of a slice of a bucket, which ends early if stop is closed.
func (r *Runner) tuneSlice(o *engine.Options, bucket string, stop <-chan struct{}) {
	if u := r.useOf(bucket); u != nil {
		o.Concurrency = func(allowed int) int { return r.concurrencyFor(u, bucket, allowed) }
	}
	if o.MinSegment == 0 {
		o.MinSegment = worthShard
	}
	o.Slice = engine.Budget{Time: r.opts.Slice, Stop: stop}
}

// endWithProcess makes a slice end with its next page when the process ends, unless
// the slice has ended before.
func (r *Runner) endWithProcess(a *assignment, ended <-chan struct{}) {
	select {
	case <-r.drain:
		r.mu.Lock()
		defer r.mu.Unlock()
		a.end()
	case <-ended:
	}
}

// concurrencyFor returns how many requests a slice of a bucket may make at once now: an
// even part of this process's share of the store, and one more that waits for slots
// that others leave while they begin, commit or encode. With more, ranges would be
// cut only to wait for each other.
func (r *Runner) concurrencyFor(u *use, bucket string, allowed int) int {
	n := 0 // slices
	r.mu.Lock()
	for _, a := range r.busy {
		if a.kind == sliceKind && a.bucket == bucket {
			n++
		}
	}
	r.mu.Unlock()
	n = max(n, 1)
	return (min(u.likely(), allowed)+n-1)/n + 1
}

// discard removes the shards of a slice whose results are not used.
func (r *Runner) discard(ctx context.Context, dst engine.Destination, results []engine.SliceResult) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	var keys []string
	for i := range results {
		for _, f := range results[i].Files {
			keys = append(keys, f.Key)
		}
	}
	return engine.Remove(ctx, dst, keys)
}

// commit records the results of a slice, and adds the tasks that follow: the rest of
// it, in more pieces if there are idle slots, or the sum if nothing of the run is
// left.
func (r *Runner) commit(ctx context.Context, j *job, results []engine.SliceResult) error {
	result, err := json.Marshal(results)
	if err != nil {
		return err
	}
	return r.finish(ctx, &j.task, string(result), progressOfResults(results), func(ctx context.Context, tx postgres.Tx) error {
		rests, err := r.share(ctx, tx, &j.task, j.Bucket, results)
		if err != nil {
			return err
		}
		inputs, err := encodeAll(rests)
		if err != nil {
			return err
		}
		if err := r.add(ctx, tx, j.run, sliceKind, inputs...); err != nil {
			return err
		}
		var open int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM tasks WHERE run = $1 AND kind = 'slice' AND done = 0`, j.run).Scan(&open); err != nil {
			return err
		}
		if open > 0 {
			return nil
		}
		return r.add(ctx, tx, j.run, sumKind, "")
	})
}

// progressOfResults returns the progress that slices have made.
func progressOfResults(results []engine.SliceResult) (p stocktake.Progress) {
	for i := range results {
		s := &results[i]
		p.Listed, p.Matched, p.Bytes = p.Listed+s.Listed, p.Matched+s.Totals.Rows, p.Bytes+s.Totals.Bytes
		p.Shards += len(s.Files)
		for _, f := range s.Files {
			p.Written += f.Size
		}
	}
	return p
}
