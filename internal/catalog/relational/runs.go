package relational

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// unfinished returns the run of a configuration and kind that has not ended.
func (t tx) unfinished(ctx context.Context, bucket, id string, kind stocktake.RunKind) (run stocktake.Run, found bool, err error) {
	err = t.Rows(ctx, selectUnfinished, func(scan Scanner) error {
		r, err := scanRun(scan)
		if r.Kind == kind {
			run, found = r, true
		}
		return err
	}, bucket, id)
	return run, found, err
}

// AddRun implements [inventory.Catalog].
func (c *Catalog) AddRun(ctx context.Context, r stocktake.Run, by inventory.Holder) (run stocktake.Run, added bool, err error) {
	err = c.change(ctx, func(ctx context.Context, t tx) error {
		n, err := t.Exec(ctx, holdConfiguration, r.Bucket, r.Configuration)
		if err == nil && n == 0 {
			err = stocktake.ErrNoSuchInventory
		}
		if err != nil {
			return err
		}
		unfinished, found, err := t.unfinished(ctx, r.Bucket, r.Configuration, r.Kind)
		if err != nil {
			return err
		}
		if found {
			run, added = unfinished, false
			return nil
		}
		run, added = r, true
		return t.addRun(ctx, &r, by)
	})
	if err != nil {
		return stocktake.Run{}, false, c.wrap("add run", err)
	}
	return run, added, nil
}

// Advance implements [inventory.Catalog].
func (c *Catalog) Advance(ctx context.Context, steps []inventory.Step, by inventory.Holder, keep int) ([]stocktake.Run, error) {
	var made []stocktake.Run
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		runs := make([]stocktake.Run, len(steps))
		for _, i := range inOrderOfLocks(steps) {
			r, ok, err := t.advance(ctx, &steps[i], by, keep)
			if err != nil {
				return err
			}
			if ok {
				runs[i] = r
			}
		}
		made = slices.DeleteFunc(runs, func(r stocktake.Run) bool { return r.ID == "" })
		return nil
	})
	if err != nil {
		return nil, c.wrap("make runs that are due", err)
	}
	return made, nil
}

// inOrderOfLocks returns the indices of steps in the order in which every process
// makes them, so that two processes with the same steps do not deadlock.
func inOrderOfLocks(steps []inventory.Step) []int {
	order := make([]int, len(steps))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(steps[a].Bucket, steps[b].Bucket), cmp.Compare(steps[a].ID, steps[b].ID))
	})
	return order
}

func (t tx) advance(ctx context.Context, s *inventory.Step, by inventory.Holder, keep int) (run stocktake.Run, made bool, err error) {
	n, err := t.Exec(ctx, moveDue, s.Bucket, s.ID, micros(s.From), micros(s.Due), micros(s.Wake))
	if err != nil || n == 0 {
		return run, false, err
	}
	run = s.Run
	unfinished, found, err := t.unfinished(ctx, s.Bucket, s.ID, run.Kind)
	if err != nil {
		return run, false, err
	}
	if found {
		run.State, run.Ended, run.Reason = stocktake.Skipped, run.Queued, inventory.SkipReason(unfinished)
	}
	if err := t.addRun(ctx, &run, by); err != nil {
		return run, false, err
	}
	return run, true, t.prune(ctx, &run, keep)
}

// prune keeps the newest keep runs of r's configuration and kind that have ended.
func (t tx) prune(ctx context.Context, r *stocktake.Run, keep int) error {
	_, err := t.Exec(ctx, pruneRuns, r.Bucket, r.Configuration, string(r.Kind), keep)
	return err
}

// replaceRun replaces the run with r's id by r if it matches the fence. It stores
// report unless one is recorded; nil stores none. A run that ends keeps no report.
func (t tx) replaceRun(ctx context.Context, r *stocktake.Run, fence inventory.Fence, report []byte) error {
	var kept any // NULL: a nil slice might become an empty value
	if report != nil {
		kept = report
	}
	n, err := t.Exec(ctx, updateRun, runValues(r, string(fence.State), fence.Owner, int64(fence.Attempt), kept)...)
	if err == nil && n == 0 {
		err = stocktake.ErrNoSuchRun
	}
	return err
}

// StartRun implements [inventory.Catalog].
func (c *Catalog) StartRun(ctx context.Context, r stocktake.Run, fence inventory.Fence) error {
	return c.wrap("start run", c.changeLazily(ctx, func(ctx context.Context, t tx) error { return t.replaceRun(ctx, &r, fence, nil) }))
}

// RetryRun implements [inventory.Catalog].
func (c *Catalog) RetryRun(ctx context.Context, r stocktake.Run, fence inventory.Fence, by inventory.Holder) error {
	return c.wrap("retry run", c.change(ctx, func(ctx context.Context, t tx) error {
		if err := t.replaceRun(ctx, &r, fence, nil); err != nil || by.Owner == fence.Owner {
			return err
		}
		_, err := t.Exec(ctx, handRun, r.ID, by.Owner, t.leaseEnd(by))
		return err
	}))
}

// EndRun implements [inventory.Catalog].
func (c *Catalog) EndRun(ctx context.Context, r stocktake.Run, fence inventory.Fence, end inventory.End) error {
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		remove := end.Remove
		if remove { // in the order of locks
			if _, err := t.Exec(ctx, holdBucket, r.Bucket); err != nil {
				return err
			}
			if _, err := t.Exec(ctx, holdConfiguration, r.Bucket, r.Configuration); err != nil {
				return err
			}
			replaced, err := t.number(ctx, countReplaced, r.ID)
			if err != nil {
				return err
			}
			remove = replaced == 0
		}
		if err := t.replaceRun(ctx, &r, fence, nil); err != nil {
			return err
		}
		if end.Windows != nil {
			if err := t.setWindows(ctx, end.Windows); err != nil {
				return err
			}
		}
		if remove {
			if err := t.dropConfiguration(ctx, r.Bucket, r.Configuration); err != nil {
				return err
			}
		}
		if err := t.addNotices(ctx, end.Notices); err != nil {
			return err
		}
		return t.prune(ctx, &r, end.Keep)
	})
	return c.wrap("end run", err)
}

// Run implements [inventory.Catalog].
func (c *Catalog) Run(ctx context.Context, id string) (stocktake.Run, error) {
	return c.run(ctx, selectRun, id)
}

// UnfinishedRuns implements [inventory.Catalog].
func (c *Catalog) UnfinishedRuns(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	return c.runs(ctx, selectUnfinished, bucket, id)
}

// BegunRuns implements [inventory.Catalog].
func (c *Catalog) BegunRuns(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	return c.runs(ctx, selectBegun, bucket, id)
}

// Runs implements [inventory.Catalog].
func (c *Catalog) Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	return c.runs(ctx, selectRuns, bucket, id)
}

// NewestRuns implements [inventory.Catalog].
func (c *Catalog) NewestRuns(ctx context.Context, bucket, id string, max int) ([]stocktake.Run, error) {
	return c.runs(ctx, selectNewest, bucket, id, max)
}

// CleanRuns implements [inventory.Catalog].
func (c *Catalog) CleanRuns(ctx context.Context, bucket, id string, max int) (bool, error) {
	n, err := c.number(ctx, countUnclean, bucket, id, max)
	return n == 0, c.wrap("read runs", err)
}

// RecoversFrom implements [inventory.Catalog].
func (c *Catalog) RecoversFrom(ctx context.Context, id string) (late, failure bool, err error) {
	found := false
	err = c.db.Rows(ctx, selectRecovery, func(scan Scanner) error {
		found = true
		return scan(&late, &failure)
	}, id)
	if err == nil && !found {
		err = stocktake.ErrNoSuchRun
	}
	return late, failure, c.wrap("read run", err)
}

// LastListed implements [inventory.Catalog].
func (c *Catalog) LastListed(ctx context.Context, bucket, id string, kind stocktake.RunKind) (int64, error) {
	n := int64(-1)
	err := c.db.Rows(ctx, selectLastListed, func(scan Scanner) error { return scan(&n) }, bucket, id, string(kind))
	return n, c.wrap("read run", err)
}

// ForgetRuns implements [inventory.Catalog]. A reader finds the runs, so that
// writers do not wait for the search.
func (c *Catalog) ForgetRuns(ctx context.Context, before time.Time) error {
	var ids []string
	err := c.db.Rows(ctx, selectForgotten, func(scan Scanner) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, micros(before))
	if err == nil && len(ids) > 0 {
		err = c.change(ctx, func(ctx context.Context, t tx) error {
			for _, id := range ids {
				if _, err := t.Exec(ctx, forgetRun, micros(before), id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c.wrap("forget runs", err)
}

func (c *Catalog) run(ctx context.Context, text string, args ...any) (stocktake.Run, error) {
	runs, err := c.runs(ctx, text, args...)
	if err != nil {
		return stocktake.Run{}, err
	}
	if len(runs) == 0 {
		return stocktake.Run{}, c.wrap("read run", stocktake.ErrNoSuchRun)
	}
	return runs[0], nil
}

func (c *Catalog) runs(ctx context.Context, text string, args ...any) (runs []stocktake.Run, err error) {
	err = c.db.Rows(ctx, text, func(scan Scanner) error {
		r, err := scanRun(scan)
		runs = append(runs, r)
		return err
	}, args...)
	return runs, c.wrap("read runs", err)
}
