package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
)

// RunTogether implements [inventory.Sharer]. Each run is led separately, and joins
// the listing that the first one has begun.
func (r *Runner) RunTogether(contexts []context.Context, tasks []inventory.Task, ended func(task int, o inventory.Outcome, err error)) {
	var all sync.WaitGroup
	for i := range tasks {
		all.Go(func() {
			o, err := r.Run(contexts[i], tasks[i])
			ended(i, o, err)
		})
	}
	all.Wait()
}

// A member is a run for which this process carries out a task of a listing.
type member struct {
	run      string
	progress engine.Progress
	ctx      context.Context // of its part of the task
	cancel   context.CancelFunc
}

// A gathered task of a listing has the input of the engine.
type gathered struct {
	*assignment
	bucket  string
	src     engine.Source
	runs    []string // of the members that can be made
	members []engine.Member
}

// together carries out a task of a listing.
func (r *Runner) together(ctx context.Context, a *assignment) error {
	g := &gathered{assignment: a}
	found, bucket, err := r.closeListing(ctx, a)
	if err != nil {
		return err
	}
	if g.bucket = bucket; len(found) == 0 {
		return r.release(ctx, &a.task) // the sweeper forgets the listing
	}
	parts := make([]*member, len(found))
	for i := range parts {
		parts[i] = &member{run: found[i].run}
		parts[i].ctx, parts[i].cancel = context.WithCancel(ctx)
		defer parts[i].cancel()
	}
	r.mu.Lock()
	a.bucket, a.members = bucket, slices.Clone(parts)
	r.mu.Unlock()
	for _, m := range parts {
		there, err := r.addMember(ctx, g, m)
		if err != nil {
			return err
		}
		if !there {
			r.stopWriting(a, m)
		}
	}
	if a.kind == planKind {
		return r.planTogether(ctx, g)
	}
	return r.sliceTogether(ctx, g)
}

// addMember adds the input of the engine for a member. It returns false if its stores
// cannot be opened, or if it lists the bucket differently from the first member: it
// then continues alone, and meets the error there.
func (r *Runner) addMember(ctx context.Context, g *gathered, m *member) (bool, error) {
	run, err := r.catalog.Run(ctx, m.run)
	var cfg stocktake.InventoryConfiguration
	if err == nil {
		cfg, err = r.catalog.RunConfiguration(ctx, m.run)
	}
	if errors.Is(err, stocktake.ErrNoSuchRun) || errors.Is(err, stocktake.ErrNoSuchInventory) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	src, err := r.one.Stores.Source(ctx, g.bucket, &cfg)
	var dst engine.Destination
	if err == nil {
		dst, err = r.one.Stores.Destination(ctx, &cfg)
	}
	if err == nil && len(g.members) > 0 && r.one.Stores.ListingKey(g.bucket, &cfg) != r.one.Stores.ListingKey(g.bucket, &g.members[0].Job.Configuration) {
		err = errors.New("its role uses other credentials for the bucket")
	}
	if err != nil {
		r.log.Warn("a run leaves the listing that it shares, and continues by itself", "run", m.run, "listing", g.run, "err", err)
		return false, nil
	}
	if len(g.members) == 0 {
		g.src = src
	}
	opts := r.optionsOf(m.run, &m.progress)
	if g.kind == sliceKind {
		r.tuneSlice(&opts, g.bucket, g.stop)
	}
	g.runs = append(g.runs, m.run)
	g.members = append(g.members, engine.Member{
		Context: m.ctx, Destination: dst, Options: opts,
		Job: engine.Job{Run: m.run, Attempt: g.Generation, Bucket: g.bucket, Configuration: cfg, Expected: run.Expected},
		Ended: func(o engine.Outcome) {
			if m.ctx.Err() == nil { // else it was stopped, or the task was taken away
				r.log.Warn("a run leaves the listing that it shares, and continues by itself", "run", m.run, "listing", g.run, "err", o.Err)
			}
			r.stopWriting(g.assignment, m)
		},
	})
	return true, nil
}

// stopWriting records that nothing is written for a member any more. The next beat
// reports it.
func (r *Runner) stopWriting(a *assignment, m *member) {
	m.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	a.members = slices.DeleteFunc(a.members, func(o *member) bool { return o == m })
}

// planTogether divides the bucket into slices for all members.
func (r *Runner) planTogether(ctx context.Context, g *gathered) error {
	workers, err := r.scanSlots(ctx, g.bucket)
	if err != nil {
		return err
	}
	for i := range g.members {
		g.members[i].Options.Workers = workers
	}
	var cut []engine.Slice
	runPlans := map[string]string{}
	if len(g.members) > 0 {
		var plans []engine.MemberPlan
		if cut, plans, err = engine.PlanTogether(ctx, g.src, g.members); err != nil {
			return err
		}
		for i := range plans {
			if plans[i].Err != nil {
				r.log.Warn("a run leaves the listing that it shares, and continues by itself", "run", g.runs[i], "listing", g.run, "err", plans[i].Err)
				continue
			}
			text, err := json.Marshal(plans[i].Plan)
			if err != nil {
				return err
			}
			runPlans[g.runs[i]] = string(text)
		}
	}
	if len(runPlans) > 0 {
		r.log.Info("runs share a listing", "bucket", g.bucket, "listing", g.run, "runs", len(runPlans), "slices", len(cut))
	}
	inputs, err := encodeAll(cut)
	if err != nil {
		return err
	}
	stays := func(m *membership) bool { return runPlans[m.run] != "" }
	return r.finishTogether(ctx, &g.task, stays, func(ctx context.Context, tx postgres.Tx, members []membership) error {
		for i := range members {
			if _, err := tx.Exec(ctx, `UPDATE works SET outline = $2 WHERE run = $1`, members[i].run, runPlans[members[i].run]); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE listings SET numbers = $2 WHERE id = $1`, g.run, len(cut)); err != nil {
			return err
		}
		return r.addShared(ctx, tx, g.run, sliceKind, inputs...)
	})
}

// sliceTogether scans a slice for all members, and commits the result of each member
// and the rest of the slice.
func (r *Runner) sliceTogether(ctx context.Context, g *gathered) error {
	var slice engine.Slice
	if err := json.Unmarshal([]byte(g.input), &slice); err != nil {
		return fmt.Errorf("the slice as it is kept: %w", err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go r.endWithProcess(g.assignment, ended)
	outcomes := map[string]*engine.MemberSlice{}
	var rest []engine.SliceResult
	if len(g.members) > 0 {
		all, left, err := engine.ScanSliceTogether(ctx, g.src, g.members, slice)
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].Err == nil {
				outcomes[g.runs[i]] = &all[i]
			}
		}
		rest = left
	}
	counted, err := r.commitTogether(ctx, g, outcomes, rest)
	if errors.Is(err, postgres.ErrUnknown) {
		return err
	}
	for i, run := range g.runs {
		if o := outcomes[run]; o != nil && !counted[run] {
			if e := r.discard(ctx, g.members[i].Destination, o.Results); e != nil {
				r.log.Warn("shards of a run that has left a listing may remain", "run", run, "listing", g.run, "err", e)
			}
		}
	}
	return err
}

// commitTogether records the result of a slice for each member, and adds the tasks
// that follow: the rest of the slice or, if nothing of the listing is left, the sum
// of each member. It returns the runs for which the result counts.
func (r *Runner) commitTogether(ctx context.Context, g *gathered, outcomes map[string]*engine.MemberSlice, rest []engine.SliceResult) (counted map[string]bool, err error) {
	results := map[string]string{}
	for run, o := range outcomes {
		text, err := json.Marshal(o.Results)
		if err != nil {
			return nil, err
		}
		results[run] = string(text)
	}
	stays := func(m *membership) bool { return outcomes[m.run] != nil }
	err = r.finishTogether(ctx, &g.task, stays, func(ctx context.Context, tx postgres.Tx, members []membership) error {
		counted = map[string]bool{}
		for i := range members {
			run := members[i].run
			p := progressOfResults(outcomes[run].Results)
			if _, err := tx.Exec(ctx, `INSERT INTO tasks (run, kind, done, host, input, result, listed, matched, bytes, written, shards, since)
				VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
				run, sliceKind, r.opts.Machine.Name, g.input, results[run], p.Listed, p.Matched, p.Bytes, p.Written, p.Shards, tx.Now); err != nil {
				return err
			}
			counted[run] = true
		}
		rests, err := r.share(ctx, tx, &g.task, g.bucket, rest)
		if err != nil {
			return err
		}
		inputs, err := encodeAll(rests)
		if err != nil {
			return err
		}
		if err := r.addShared(ctx, tx, g.run, sliceKind, inputs...); err != nil {
			return err
		}
		return r.sumAll(ctx, tx, g.run, members)
	})
	if err != nil {
		return nil, err
	}
	return counted, nil
}

// sumAll adds the sums of the members of a listing if nothing of it is left, and
// removes the listing.
func (r *Runner) sumAll(ctx context.Context, tx postgres.Tx, listing string, members []membership) error {
	var open bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM tasks WHERE listing = $1 AND done = 0)`, listing).Scan(&open); err != nil || open {
		return err
	}
	for i := range members {
		if _, err := tx.Exec(ctx, `UPDATE works SET listing = NULL WHERE run = $1`, members[i].run); err != nil {
			return err
		}
		if err := r.add(ctx, tx, members[i].run, sumKind, ""); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `DELETE FROM listings WHERE id = $1`, listing)
	return err
}

// finishTogether ends a task of a listing, if the attempt still owns it. Members
// without a result, and stopped members, leave the listing and get the task for
// themselves. The following tasks are added for those that stay, unless all have
// left.
func (r *Runner) finishTogether(ctx context.Context, t *task, stays func(*membership) bool, follow func(context.Context, postgres.Tx, []membership) error) error {
	return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		all, err := r.lockListing(ctx, tx, t)
		if err != nil {
			return err
		}
		var staying []membership
		for i := range all {
			if m := &all[i]; !m.stopped && stays(m) {
				staying = append(staying, *m)
			} else if err := r.separate(ctx, tx, t.run, m); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE tasks SET done = 1, worker = '', members = NULL WHERE id = $1`, t.Task); err != nil {
			return err
		}
		if len(staying) == 0 {
			return nil // the sweeper forgets the listing
		}
		return follow(ctx, tx, staying)
	})
}

// failedTogether ends the runs that share a listing after one of its tasks has failed
// permanently.
func (r *Runner) failedTogether(ctx context.Context, a *assignment, cause error) error {
	runs, err := r.runsOf(ctx, a.run)
	if err != nil {
		return err
	}
	reasons := map[string]string{}
	for _, run := range runs {
		reasons[run] = r.reason(ctx, run, cause)
	}
	return r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		if ours, err := dropTask(ctx, tx, &a.task); err != nil || !ours {
			return err
		}
		return r.failListing(ctx, tx, a.run, func(run string) string { return reasons[run] }, inventory.MayPass(cause))
	})
}

// runsOf returns the runs that share a listing. No run joins while it is being
// listed.
func (r *Runner) runsOf(ctx context.Context, listing string) (runs []string, err error) {
	err = r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		return tx.QueryRow(ctx, `SELECT coalesce(array_agg(run), '{}') FROM works WHERE listing = $1`, listing).Scan(&runs)
	})
	return runs, err
}
