package relational

import (
	"cmp"
	"context"
	"math"
	"net/url"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// MarkLate implements [inventory.LateCatalog].
func (c *Catalog) MarkLate(ctx context.Context, due time.Time, max int, notices func(stocktake.Run) []inventory.Notice) ([]stocktake.Run, error) {
	var late []stocktake.Run
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		late = nil
		var found []stocktake.Run
		err := t.Rows(ctx, selectLate, func(scan Scanner) error {
			r, err := scanRun(scan)
			r.Late = true
			found = append(found, r)
			return err
		}, micros(due), max)
		if err != nil {
			return err
		}
		slices.SortFunc(found, func(a, b stocktake.Run) int { return cmp.Compare(a.ID, b.ID) }) // all processes lock in this order
		for _, r := range found {
			n, err := t.Exec(ctx, markLate, r.ID)
			if err != nil {
				return err
			}
			if n == 0 {
				continue // it has ended, or another process was faster
			}
			if err := t.addNotices(ctx, notices(r)); err != nil {
				return err
			}
			late = append(late, r)
		}
		slices.SortStableFunc(late, func(a, b stocktake.Run) int { return a.Due.Compare(b.Due) })
		return nil
	})
	if err != nil {
		return nil, c.wrap("mark late runs", err)
	}
	return late, nil
}

// NextLate implements [inventory.LateCatalog].
func (c *Catalog) NextLate(ctx context.Context) (time.Time, error) {
	n, err := c.number(ctx, selectNextLate)
	return instant(n), c.wrap("read when a run will be late", err)
}

const noticeColumns = `id, target, made, payload, attempts, due, error, answer, delivered, bucket, configuration, run`

func (t tx) addNotices(ctx context.Context, notices []inventory.Notice) error {
	for _, n := range notices {
		if _, err := t.Exec(ctx, addNotice, n.ID, n.Target, micros(n.Made), n.Payload, n.Attempts, micros(n.Due), n.Error,
			int64(n.Answer), micros(n.Delivered), n.Bucket, n.Configuration, n.Run); err != nil {
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
	err = c.db.Rows(ctx, text, func(scan Scanner) error {
		var n inventory.Notice
		var made, due, delivered int64
		err := scan(&n.ID, &n.Target, &made, &n.Payload, &n.Attempts, &due, &n.Error, &n.Answer, &delivered, &n.Bucket, &n.Configuration, &n.Run)
		n.Made, n.Due, n.Delivered = instant(made), instant(due), instant(delivered)
		notices = append(notices, n)
		return err
	}, args...)
	return notices, c.wrap("read notices", err)
}

// NextNotice implements [inventory.NoticeCatalog].
func (c *Catalog) NextNotice(ctx context.Context, target string) (time.Time, error) {
	n, err := c.number(ctx, selectNextNotice, target)
	return instant(n), c.wrap("read the next notice", err)
}

// SetNotice implements [inventory.NoticeCatalog].
func (c *Catalog) SetNotice(ctx context.Context, n inventory.Notice) error {
	return c.wrap("keep notice", c.change(ctx, func(ctx context.Context, t tx) error { return t.setNotice(ctx, &n) }))
}

func (t tx) setNotice(ctx context.Context, n *inventory.Notice) error {
	changed, err := t.Exec(ctx, setNotice, n.ID, n.Attempts, micros(n.Due), n.Error, int64(n.Answer), micros(n.Delivered))
	if err == nil && changed == 0 {
		err = inventory.ErrNoSuchNotice
	}
	return err
}

// AddNotice implements [inventory.NoticeCatalog].
func (c *Catalog) AddNotice(ctx context.Context, n inventory.Notice) error {
	return c.wrap("add notice", c.change(ctx, func(ctx context.Context, t tx) error { return t.addNotices(ctx, []inventory.Notice{n}) }))
}

// DeliverNotice implements [inventory.NoticeCatalog].
func (c *Catalog) DeliverNotice(ctx context.Context, n inventory.Notice, keep int) error {
	err := c.changeLazily(ctx, func(ctx context.Context, t tx) error {
		if err := t.setNotice(ctx, &n); err != nil {
			return err
		}
		_, err := t.Exec(ctx, pruneDelivered, n.Target, keep)
		return err
	})
	return c.wrap("keep a delivered notice", err)
}

// Notices implements [inventory.NoticeCatalog].
func (c *Catalog) Notices(ctx context.Context, q inventory.NoticeQuery, max int) ([]inventory.Notice, error) {
	before := int64(math.MaxInt64)
	if q.Before.ID != "" {
		before = micros(q.Before.Made)
	}
	return c.notices(ctx, selectNoticePage, before, q.Before.ID, string(q.State), q.Bucket, q.Configuration, max)
}

// Notice implements [inventory.NoticeCatalog].
func (c *Catalog) Notice(ctx context.Context, id string) (inventory.Notice, error) {
	notices, err := c.notices(ctx, selectNotice, id)
	if err == nil && len(notices) == 0 {
		err = c.wrap("read notice", inventory.ErrNoSuchNotice)
	}
	if err != nil {
		return inventory.Notice{}, err
	}
	return notices[0], nil
}

// Targets implements [inventory.NoticeCatalog].
func (c *Catalog) Targets(ctx context.Context) (targets []string, err error) {
	err = c.db.Rows(ctx, selectTargets, func(scan Scanner) error {
		var target string
		err := scan(&target)
		targets = append(targets, target)
		return err
	})
	return targets, c.wrap("read the receivers of notices", err)
}

// RemoveNotice implements [inventory.NoticeCatalog].
func (c *Catalog) RemoveNotice(ctx context.Context, id string) error {
	return c.wrap("remove notice", c.exec(ctx, dropNotice, id))
}

// ForgetNotices implements [inventory.NoticeCatalog].
func (c *Catalog) ForgetNotices(ctx context.Context, before time.Time) error {
	return c.wrap("forget notices", c.exec(ctx, forgetNotices, micros(before)))
}

// CountNotices returns how many notices are pending and how many are dead.
func (c *Catalog) CountNotices(ctx context.Context) (waiting, dead int64, err error) {
	err = c.db.Rows(ctx, countNotices, func(scan Scanner) error { return scan(&waiting, &dead) })
	return waiting, dead, c.wrap("count notices", err)
}

// HasStrays implements [inventory.StrayCatalog].
func (c *Catalog) HasStrays(ctx context.Context, bucket, id string) (bool, error) {
	n, err := c.number(ctx, countStrays, bucket, id)
	return n > 0, c.wrap("count strays", err)
}

// Strays implements [inventory.StrayCatalog].
func (c *Catalog) Strays(ctx context.Context, bucket, id string, found []string, now time.Time) (map[string]time.Time, error) {
	first := map[string]time.Time{}
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		clear(first)
		known := map[string]time.Time{}
		err := t.Rows(ctx, selectStrays, func(scan Scanner) error {
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
				if _, err := t.Exec(ctx, dropStray, bucket, id, stored); err != nil {
					return err
				}
				delete(known, stored)
				ok = false
			}
			if !ok {
				at = now
				if _, err := t.Exec(ctx, addStray, bucket, id, stored, micros(at)); err != nil {
					return err
				}
			}
			delete(known, stored)
			first[key] = at
		}
		for stored := range known {
			if _, err := t.Exec(ctx, dropStray, bucket, id, stored); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, c.wrap("keep strays", err)
	}
	return first, nil
}
