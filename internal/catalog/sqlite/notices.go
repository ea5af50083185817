package sqlite

import (
	"context"
	"net/url"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

var (
	_ inventory.NoticeCatalog = (*Catalog)(nil)
	_ inventory.StrayCatalog  = (*Catalog)(nil)
)

// MarkLate implements [inventory.LateCatalog].
func (c *Catalog) MarkLate(ctx context.Context, due time.Time, max int, notices func(stocktake.Run) []inventory.Notice) ([]stocktake.Run, error) {
	var late []stocktake.Run
	err := c.write.now(ctx, func(ctx context.Context, t *tx) error {
		late = nil
		err := t.rows(ctx, selectLate, func(scan scanner) error {
			r, err := scanRun(scan)
			r.Late = true
			late = append(late, r)
			return err
		}, micros(due), max)
		if err != nil {
			return err
		}
		for _, r := range late {
			if _, err := t.exec(ctx, markLate, r.ID); err != nil {
				return err
			}
			if err := t.addNotices(ctx, notices(r)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("mark late runs", err)
	}
	return late, nil
}

// NextLate implements [inventory.LateCatalog].
func (c *Catalog) NextLate(ctx context.Context) (time.Time, error) {
	n, err := c.read.number(ctx, selectNextLate)
	return instant(n), wrap("read when a run will be late", err)
}

const noticeColumns = `id, target, made, payload, attempts, due, error`

func (t *tx) addNotices(ctx context.Context, notices []inventory.Notice) error {
	for _, n := range notices {
		if _, err := t.exec(ctx, addNotice, n.ID, n.Target, micros(n.Made), n.Payload, n.Attempts, micros(n.Due), n.Error); err != nil {
			return err
		}
	}
	return nil
}

// DueNotices implements [inventory.NoticeCatalog].
func (c *Catalog) DueNotices(ctx context.Context, target string, now time.Time, max int) ([]inventory.Notice, error) {
	return c.notices(ctx, selectNotices, target, micros(now), max)
}

// DeadNotices implements [inventory.NoticeCatalog].
func (c *Catalog) DeadNotices(ctx context.Context, after string, max int) ([]inventory.Notice, error) {
	return c.notices(ctx, selectDeadNotices, after, max)
}

func (c *Catalog) notices(ctx context.Context, text string, args ...any) (notices []inventory.Notice, err error) {
	err = c.read.rows(ctx, text, func(scan scanner) error {
		var n inventory.Notice
		var made, due int64
		err := scan(&n.ID, &n.Target, &made, &n.Payload, &n.Attempts, &due, &n.Error)
		n.Made, n.Due = instant(made), instant(due)
		notices = append(notices, n)
		return err
	}, args...)
	return notices, wrap("read notices", err)
}

// NextNotice implements [inventory.NoticeCatalog].
func (c *Catalog) NextNotice(ctx context.Context, target string) (time.Time, error) {
	n, err := c.read.number(ctx, selectNextNotice, target)
	return instant(n), wrap("read the next notice", err)
}

// SetNotice implements [inventory.NoticeCatalog].
func (c *Catalog) SetNotice(ctx context.Context, n inventory.Notice) error {
	err := c.write.now(ctx, func(ctx context.Context, t *tx) error {
		changed, err := t.exec(ctx, setNotice, n.ID, n.Attempts, micros(n.Due), n.Error)
		if err == nil && changed == 0 {
			err = inventory.ErrNoSuchNotice
		}
		return err
	})
	return wrap("keep notice", err)
}

// Notice implements [inventory.NoticeCatalog].
func (c *Catalog) Notice(ctx context.Context, id string) (inventory.Notice, error) {
	notices, err := c.notices(ctx, selectNotice, id)
	if err == nil && len(notices) == 0 {
		err = wrap("read notice", inventory.ErrNoSuchNotice)
	}
	if err != nil {
		return inventory.Notice{}, err
	}
	return notices[0], nil
}

// Targets implements [inventory.NoticeCatalog].
func (c *Catalog) Targets(ctx context.Context) (targets []string, err error) {
	err = c.read.rows(ctx, selectTargets, func(scan scanner) error {
		var target string
		err := scan(&target)
		targets = append(targets, target)
		return err
	})
	return targets, wrap("read the receivers of notices", err)
}

// RemoveNotice implements [inventory.NoticeCatalog].
func (c *Catalog) RemoveNotice(ctx context.Context, id string) error {
	return wrap("remove notice", c.exec(ctx, dropNotice, id))
}

// ForgetNotices implements [inventory.NoticeCatalog].
func (c *Catalog) ForgetNotices(ctx context.Context, before time.Time) error {
	return wrap("forget notices", c.exec(ctx, forgetNotices, micros(before)))
}

// CountNotices returns how many notices are pending, and how many were given up.
func (c *Catalog) CountNotices(ctx context.Context) (waiting, dead int64, err error) {
	// Metrics read this every few seconds, which does not need a prepared
	// statement.
	const text = `SELECT count(*) FILTER (WHERE due > 0), count(*) FILTER (WHERE due = 0) FROM notices`
	err = c.read.db.QueryRowContext(ctx, text).Scan(&waiting, &dead)
	return waiting, dead, wrap("count notices", err)
}

// exec runs one statement in a transaction of its own.
func (c *Catalog) exec(ctx context.Context, text string, args ...any) error {
	return c.write.now(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, text, args...)
		return err
	})
}

// HasStrays implements [inventory.StrayCatalog].
func (c *Catalog) HasStrays(ctx context.Context, bucket, id string) (bool, error) {
	n, err := c.read.number(ctx, countStrays, bucket, id)
	return n > 0, wrap("count strays", err)
}

// Strays implements [inventory.StrayCatalog].
func (c *Catalog) Strays(ctx context.Context, bucket, id string, found []string, now time.Time) (map[string]time.Time, error) {
	first := map[string]time.Time{}
	err := c.write.now(ctx, func(ctx context.Context, t *tx) error {
		clear(first)
		known := map[string]time.Time{}
		err := t.rows(ctx, selectStrays, func(scan scanner) error {
			var key string
			var at int64
			err := scan(&key, &at)
			known[key] = instant(at)
			return err
		}, bucket, id)
		if err != nil {
			return err
		}
		for _, key := range found {
			stored := url.QueryEscape(key)
			at, ok := known[stored]
			if ok && at.After(now) { // found by a clock that was ahead
				if _, err := t.exec(ctx, dropStray, bucket, id, stored); err != nil {
					return err
				}
				delete(known, stored)
				ok = false
			}
			if !ok {
				at = now
				if _, err := t.exec(ctx, addStray, bucket, id, stored, micros(at)); err != nil {
					return err
				}
			}
			delete(known, stored)
			first[key] = at
		}
		for stored := range known {
			if _, err := t.exec(ctx, dropStray, bucket, id, stored); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("keep strays", err)
	}
	return first, nil
}
