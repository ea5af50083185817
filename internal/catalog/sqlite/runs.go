package sqlite

import (
	"context"
	"net/url"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// addRun adds a run as the newest of its configuration.
func (t *tx) addRun(ctx context.Context, r *stocktake.Run) error {
	seq, err := t.number(ctx, takeSeq, r.Bucket, r.Configuration)
	if err != nil {
		return err
	}
	if seq == 0 {
		return stocktake.ErrNoSuchInventory
	}
	if _, err := t.exec(ctx, addRun, append(runValues(r), seq)...); err != nil {
		return err
	}
	if r.State == stocktake.Skipped {
		return nil
	}
	_, err = t.exec(ctx, setLast, r.Bucket, r.Configuration, seq)
	return err
}

// going gives the run of a configuration that has not ended.
func (t *tx) going(ctx context.Context, bucket, id string) (run stocktake.Run, found bool, err error) {
	err = t.rows(ctx, selectGoing, func(scan scanner) (err error) {
		found = true
		run, err = scanRun(scan)
		return err
	}, bucket, id)
	return run, found, err
}

// AddRun implements [inventory.Catalog].
func (c *Catalog) AddRun(ctx context.Context, r stocktake.Run) (run stocktake.Run, added bool, err error) {
	err = c.write.now(ctx, func(ctx context.Context, t *tx) error {
		going, found, err := t.going(ctx, r.Bucket, r.Configuration)
		if err != nil {
			return err
		}
		if found {
			run, added = going, false
			return nil
		}
		run, added = r, true
		return t.addRun(ctx, &r)
	})
	if err != nil {
		return stocktake.Run{}, false, wrap("add run", err)
	}
	return run, added, nil
}

// Advance implements [inventory.Catalog].
func (c *Catalog) Advance(ctx context.Context, steps []inventory.Step, keep int) ([]stocktake.Run, error) {
	var made []stocktake.Run
	err := c.write.now(ctx, func(ctx context.Context, t *tx) error {
		made = nil
		for i := range steps {
			r, ok, err := t.advance(ctx, &steps[i], keep)
			if err != nil {
				return err
			}
			if ok {
				made = append(made, r)
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("make runs that are due", err)
	}
	return made, nil
}

func (t *tx) advance(ctx context.Context, s *inventory.Step, keep int) (run stocktake.Run, made bool, err error) {
	n, err := t.exec(ctx, moveDue, s.Bucket, s.ID, micros(s.From), micros(s.Due), micros(s.Wake))
	if err != nil || n == 0 {
		return run, false, err
	}
	run = s.Run
	going, found, err := t.going(ctx, s.Bucket, s.ID)
	if err != nil {
		return run, false, err
	}
	if found {
		run.State, run.Ended, run.Reason = stocktake.Skipped, run.Queued, inventory.SkipReason(going)
	}
	if err := t.addRun(ctx, &run); err != nil {
		return run, false, err
	}
	return run, true, t.prune(ctx, s.Bucket, s.ID, keep)
}

// prune keeps the newest keep runs that have ended.
func (t *tx) prune(ctx context.Context, bucket, id string, keep int) error {
	_, err := t.exec(ctx, pruneRuns, bucket, id, keep)
	return err
}

// UpdateRun implements [inventory.Catalog].
func (c *Catalog) UpdateRun(ctx context.Context, r stocktake.Run, from stocktake.RunState) error {
	return wrap("update run", c.write.now(ctx, func(ctx context.Context, t *tx) error { return t.updateRun(ctx, &r, from) }))
}

// MoveRun implements [inventory.Catalog].
func (c *Catalog) MoveRun(ctx context.Context, r stocktake.Run, from stocktake.RunState) error {
	return wrap("move run", c.write.later(ctx, func(ctx context.Context, t *tx) error { return t.updateRun(ctx, &r, from) }))
}

func (t *tx) updateRun(ctx context.Context, r *stocktake.Run, from stocktake.RunState) error {
	n, err := t.exec(ctx, updateRun, append(runValues(r), string(from))...)
	if err == nil && n == 0 {
		err = stocktake.ErrNoSuchRun
	}
	return err
}

// EndRun implements [inventory.Catalog].
func (c *Catalog) EndRun(ctx context.Context, r stocktake.Run, from stocktake.RunState, end inventory.End) error {
	err := c.write.now(ctx, func(ctx context.Context, t *tx) error {
		if err := t.updateRun(ctx, &r, from); err != nil {
			return err
		}
		if end.Remove {
			if err := t.dropConfiguration(ctx, r.Bucket, r.Configuration); err != nil {
				return err
			}
		}
		if err := t.addNotices(ctx, end.Notices); err != nil {
			return err
		}
		return t.prune(ctx, r.Bucket, r.Configuration, end.Keep)
	})
	return wrap("end run", err)
}

// SaveProgress implements [inventory.Catalog].
func (c *Catalog) SaveProgress(ctx context.Context, progress map[string]stocktake.Progress) error {
	err := c.write.now(ctx, func(ctx context.Context, t *tx) error {
		for id, p := range progress {
			if _, err := t.exec(ctx, saveProgress, id, p.Listed, p.Matched, p.Bytes, p.Written,
				int64(p.Shards), p.Expected, url.QueryEscape(p.Key)); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("save progress", err)
}

// Run implements [inventory.Catalog].
func (c *Catalog) Run(ctx context.Context, id string) (stocktake.Run, error) {
	return c.run(ctx, selectRun, id)
}

// Going implements [inventory.Catalog].
func (c *Catalog) Going(ctx context.Context, bucket, id string) (stocktake.Run, error) {
	return c.run(ctx, selectGoing, bucket, id)
}

// Runs implements [inventory.Catalog].
func (c *Catalog) Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	return c.runs(ctx, selectRuns, bucket, id)
}

// NewestRuns implements [inventory.Catalog].
func (c *Catalog) NewestRuns(ctx context.Context, bucket, id string, max int) ([]stocktake.Run, error) {
	return c.runs(ctx, selectNewest, bucket, id, max)
}

// Unfinished implements [inventory.Catalog].
func (c *Catalog) Unfinished(ctx context.Context, after string, max int) ([]stocktake.Run, error) {
	return c.runs(ctx, selectUnfinished, after, max)
}

// Previous implements [inventory.Catalog].
func (c *Catalog) Previous(ctx context.Context, bucket, id string) (stocktake.Run, error) {
	return c.run(ctx, selectPrevious, bucket, id)
}

// LastListed implements [inventory.Catalog].
func (c *Catalog) LastListed(ctx context.Context, bucket, id string) (int64, error) {
	n := int64(-1)
	err := c.read.rows(ctx, selectLastListed, func(scan scanner) error { return scan(&n) }, bucket, id)
	return n, wrap("read run", err)
}

// ForgetRuns implements [inventory.Catalog]. To find the runs takes a look at all,
// by a reader, which holds up nobody.
func (c *Catalog) ForgetRuns(ctx context.Context, before time.Time) error {
	var ids []string
	err := c.read.rows(ctx, selectForgotten, func(scan scanner) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, micros(before))
	if err == nil && len(ids) > 0 {
		err = c.write.now(ctx, func(ctx context.Context, t *tx) error {
			for _, id := range ids {
				if _, err := t.exec(ctx, forgetRun, micros(before), id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return wrap("forget runs", err)
}

func (c *Catalog) run(ctx context.Context, text string, args ...any) (stocktake.Run, error) {
	runs, err := c.runs(ctx, text, args...)
	if err != nil {
		return stocktake.Run{}, err
	}
	if len(runs) == 0 {
		return stocktake.Run{}, wrap("read run", stocktake.ErrNoSuchRun)
	}
	return runs[0], nil
}

func (c *Catalog) runs(ctx context.Context, text string, args ...any) (runs []stocktake.Run, err error) {
	err = c.read.rows(ctx, text, func(scan scanner) error {
		r, err := scanRun(scan)
		runs = append(runs, r)
		return err
	}, args...)
	return runs, wrap("read runs", err)
}
