package relational

import (
	"context"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// windowColumns are the columns of a row of windows in the order of windowValues
// and scanWindows.
const windowColumns = `bucket, configuration, window_start, wake, after_sequence, after_time,
	joined_sequence, joined_time, subscribed_sequence, subscribed_time, report`

func windowValues(w *inventory.Windows) []any {
	var recorded any // NULL: a nil slice might become an empty value
	if w.Recorded != nil {
		recorded = w.Recorded
	}
	return []any{
		w.Bucket, w.ID, micros(w.Start), micros(w.Wake), int64(w.After.Sequence), w.After.Time,
		int64(w.Joined.Sequence), w.Joined.Time, int64(w.Subscribed.Sequence), w.Subscribed.Time, recorded,
	}
}

func scanWindows(scan Scanner) (w inventory.Windows, err error) {
	var start, wake int64
	err = scan(&w.Bucket, &w.ID, &start, &wake, &w.After.Sequence, &w.After.Time,
		&w.Joined.Sequence, &w.Joined.Time, &w.Subscribed.Sequence, &w.Subscribed.Time, &w.Recorded)
	w.Start, w.Wake = instant(start), instant(wake)
	return w, err
}

func (c *Catalog) windows(ctx context.Context, text string, args ...any) (all []inventory.Windows, err error) {
	err = c.db.Rows(ctx, text, func(scan Scanner) error {
		w, err := scanWindows(scan)
		all = append(all, w)
		return err
	}, args...)
	return all, err
}

// Windows implements [inventory.Catalog].
func (c *Catalog) Windows(ctx context.Context, bucket, id string) (inventory.Windows, error) {
	all, err := c.windows(ctx, selectWindows, bucket, id)
	if err == nil && len(all) == 0 {
		err = stocktake.ErrNoSuchInventory
	}
	if err != nil {
		return inventory.Windows{}, c.wrap("read windows", err)
	}
	return all[0], nil
}

// DueWindows implements [inventory.Catalog].
func (c *Catalog) DueWindows(ctx context.Context, now time.Time, max int) ([]inventory.Windows, error) {
	all, err := c.windows(ctx, selectDueWindows, micros(now), max)
	return all, c.wrap("read windows that are due", err)
}

// NextWindow implements [inventory.Catalog].
func (c *Catalog) NextWindow(ctx context.Context) (time.Time, error) {
	n, err := c.number(ctx, selectNextWindow)
	return instant(n), c.wrap("read when the next window is due", err)
}

// WakeWindows implements [inventory.Catalog].
func (c *Catalog) WakeWindows(ctx context.Context, w inventory.Windows) error {
	return c.wrap("set when a window is due", c.exec(ctx, wakeWindows, w.Bucket, w.ID, micros(w.Start), micros(w.Wake)))
}

// AddWindowRun implements [inventory.Catalog].
func (c *Catalog) AddWindowRun(ctx context.Context, r stocktake.Run, by inventory.Holder) (added bool, err error) {
	err = c.change(ctx, func(ctx context.Context, t tx) error {
		added = false
		if n, err := t.Exec(ctx, holdConfiguration, r.Bucket, r.Configuration); err != nil || n == 0 {
			return err
		}
		_, found, err := t.unfinished(ctx, r.Bucket, r.Configuration, r.Kind)
		if err != nil || found {
			return err
		}
		n, err := t.Exec(ctx, takeWindow, r.Bucket, r.Configuration, micros(r.Window.Start))
		if err != nil || n == 0 {
			return err
		}
		added = true
		return t.addRun(ctx, &r, by)
	})
	return added && err == nil, c.wrap("add the run of a window", err)
}

// setWindows replaces the stored windows of a configuration, unless they were
// removed with it.
func (t tx) setWindows(ctx context.Context, w *inventory.Windows) error {
	_, err := t.Exec(ctx, setWindows, windowValues(w)...)
	return err
}
