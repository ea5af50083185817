package relational

import (
	"context"
	"net/url"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

func scanHeld(scan Scanner) (inventory.HeldRun, error) {
	var h inventory.HeldRun
	var err error
	h.Run, err = scanRun(scan, &h.Cancel, &h.Recorded)
	return h, err
}

func (t tx) held(ctx context.Context, text string, args ...any) (runs []inventory.HeldRun, err error) {
	err = t.Rows(ctx, text, func(scan Scanner) error {
		h, err := scanHeld(scan)
		runs = append(runs, h)
		return err
	}, args...)
	return runs, err
}

// takeable returns up to max runs that by does not hold.
func (t tx) takeable(ctx context.Context, by inventory.Holder, max int) (ids []string, err error) {
	err = t.Rows(ctx, selectTakeable, func(scan Scanner) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, by.Owner, max)
	return ids, err
}

// TakeRuns implements [inventory.Catalog].
func (c *Catalog) TakeRuns(ctx context.Context, by inventory.Holder, max int) ([]inventory.HeldRun, error) {
	var taken []inventory.HeldRun
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		taken = nil
		for len(taken) < max {
			ids, err := t.takeable(ctx, by, max-len(taken))
			if err != nil || len(ids) == 0 {
				return err
			}
			some, err := t.take(ctx, takeRun, by, ids)
			if err != nil {
				return err
			}
			taken = append(taken, some...)
		}
		return nil
	})
	if err != nil {
		return nil, c.wrap("take runs", err)
	}
	return taken, nil
}

// take makes by the holder of those runs in ids that a statement finds, and returns
// them.
func (t tx) take(ctx context.Context, text string, by inventory.Holder, ids []string, more ...any) (taken []inventory.HeldRun, err error) {
	for _, id := range ids {
		n, err := t.Exec(ctx, text, append([]any{id, by.Owner, t.leaseEnd(by)}, more...)...)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue // another process was faster
		}
		h, err := t.held(ctx, selectHeldRun, id)
		if err != nil {
			return nil, err
		}
		taken = append(taken, h...)
	}
	return taken, nil
}

// FreeRuns implements [inventory.Catalog].
func (c *Catalog) FreeRuns(ctx context.Context, each, max int) ([]stocktake.Run, error) {
	return c.runs(ctx, selectFree, each, max)
}

// TakeFreeRuns implements [inventory.Catalog].
func (c *Catalog) TakeFreeRuns(ctx context.Context, by inventory.Holder, ids ...string) (taken []inventory.HeldRun, err error) {
	ids = slices.Sorted(slices.Values(ids)) // the order of locks
	err = c.change(ctx, func(ctx context.Context, t tx) (err error) {
		taken, err = t.take(ctx, takeFreeRun, by, ids, inventory.Postponed)
		return err
	})
	if err != nil {
		return nil, c.wrap("take runs", err)
	}
	return taken, nil
}

// FreeExpired implements [inventory.Catalog].
func (c *Catalog) FreeExpired(ctx context.Context) (n int64, err error) {
	err = c.change(ctx, func(ctx context.Context, t tx) (err error) {
		if n, err = t.Exec(ctx, freeExpired, inventory.Postponed, t.Now()); err != nil {
			return err
		}
		_, err = t.Exec(ctx, freePostponed, inventory.Postponed, t.Now())
		return err
	})
	return n, c.wrap("free the runs of processes that are gone", err)
}

// RenewRuns implements [inventory.Catalog].
func (c *Catalog) RenewRuns(ctx context.Context, by inventory.Holder, progress map[string]stocktake.Progress) ([]inventory.HeldRun, error) {
	var held []inventory.HeldRun
	err := c.changeLazily(ctx, func(ctx context.Context, t tx) error {
		if _, err := t.Exec(ctx, renewLeases, by.Owner, t.leaseEnd(by)); err != nil {
			return err
		}
		for id, p := range progress {
			if _, err := t.Exec(ctx, saveProgress, id, p.Listed, p.Matched, p.Bytes, p.Written,
				int64(p.Shards), p.Expected, url.QueryEscape(p.Key), by.Owner); err != nil {
				return err
			}
		}
		var err error
		held, err = t.held(ctx, selectHeld, by.Owner)
		return err
	})
	if err != nil {
		return nil, c.wrap("renew the leases of runs", err)
	}
	return held, nil
}

// ReleaseRuns implements [inventory.Catalog].
func (c *Catalog) ReleaseRuns(ctx context.Context, owner string, ids ...string) error {
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		if len(ids) == 0 {
			_, err := t.Exec(ctx, freeAllOf, owner)
			return err
		}
		for _, id := range slices.Sorted(slices.Values(ids)) {
			if _, err := t.Exec(ctx, freeRun, owner, id); err != nil {
				return err
			}
		}
		return nil
	})
	return c.wrap("release runs", err)
}

// RequestCancel implements [inventory.Catalog].
func (c *Catalog) RequestCancel(ctx context.Context, id string) error {
	return c.wrap("request the end of a run", c.exec(ctx, requestCancel, id))
}

// PublishRun implements [inventory.Catalog].
func (c *Catalog) PublishRun(ctx context.Context, r stocktake.Run, fence inventory.Fence, report []byte, durable bool) ([]byte, error) {
	write := c.changeLazily
	if durable {
		write = c.change
	}
	var recorded []byte
	err := write(ctx, func(ctx context.Context, t tx) error {
		if err := t.replaceRun(ctx, &r, fence, report); err != nil {
			return err
		}
		if recorded = report; fence.Attempt == 1 {
			return nil // there was no earlier attempt
		}
		return t.Rows(ctx, selectReport, func(scan Scanner) error { return scan(&recorded) }, r.ID)
	})
	if err != nil {
		return nil, c.wrap("publish run", err)
	}
	return recorded, nil
}

// RecordedReport implements [inventory.Catalog].
func (c *Catalog) RecordedReport(ctx context.Context, id string) ([]byte, error) {
	var recorded []byte
	err := c.db.Rows(ctx, selectReport, func(scan Scanner) error { return scan(&recorded) }, id)
	return recorded, c.wrap("read the report of a run", err)
}
