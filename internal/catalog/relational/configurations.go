package relational

import (
	"context"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// Configuration implements [inventory.Catalog].
func (c *Catalog) Configuration(ctx context.Context, bucket, id string) (inventory.Entry, error) {
	entries, err := c.entries(ctx, selectConfiguration, bucket, id)
	if err == nil && len(entries) == 0 {
		err = stocktake.ErrNoSuchInventory
	}
	if err != nil {
		return inventory.Entry{}, c.wrap("read configuration", err)
	}
	return entries[0], nil
}

// Configurations implements [inventory.Catalog].
func (c *Catalog) Configurations(ctx context.Context, bucket, after string, max int) ([]inventory.Entry, bool, error) {
	entries, err := c.entries(ctx, selectConfigurations, bucket, after, max+1)
	if err != nil {
		return nil, false, c.wrap("list configurations", err)
	}
	if len(entries) > max {
		return entries[:max], true, nil
	}
	return entries, false, nil
}

// Document implements [inventory.Catalog].
func (c *Catalog) Document(ctx context.Context, bucket, id string) (document []byte, err error) {
	err = c.db.Rows(ctx, selectDocument, func(scan Scanner) error { return scan(&document) }, bucket, id)
	if err == nil && document == nil {
		err = stocktake.ErrNoSuchInventory
	}
	return document, c.wrap("read configuration", err)
}

// Documents implements [inventory.Catalog].
func (c *Catalog) Documents(ctx context.Context, bucket, after string, max int) (page [][]byte, next string, err error) {
	more, last := false, ""
	err = c.db.Rows(ctx, selectDocuments, func(scan Scanner) error {
		if len(page) == max {
			more = true
			return nil
		}
		var document []byte
		err := scan(&last, &document)
		page = append(page, document)
		return err
	}, bucket, after, max+1)
	if err != nil {
		return nil, "", c.wrap("list configurations", err)
	}
	if !more {
		last = ""
	}
	return page, last, nil
}

// EntryStatus implements [inventory.Catalog].
func (c *Catalog) EntryStatus(ctx context.Context, bucket, id string) (inventory.EntryStatus, error) {
	all, err := c.statuses(ctx, selectStatus, bucket, id)
	if err == nil && len(all) == 0 {
		err = stocktake.ErrNoSuchInventory
	}
	if err != nil {
		return inventory.EntryStatus{}, c.wrap("read configuration and run", err)
	}
	return all[0], nil
}

// EntryStatuses implements [inventory.Catalog].
func (c *Catalog) EntryStatuses(ctx context.Context, bucket string) ([]inventory.EntryStatus, error) {
	all, err := c.statuses(ctx, selectStatuses, bucket)
	return all, c.wrap("list configurations and runs", err)
}

// RemoveConfiguration implements [inventory.Catalog].
func (c *Catalog) RemoveConfiguration(ctx context.Context, bucket, id string) error {
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		if err := t.dropConfiguration(ctx, bucket, id); err != nil {
			return err
		}
		return t.dropHistory(ctx, bucket, id)
	})
	return c.wrap("remove configuration", err)
}

func (t tx) dropConfiguration(ctx context.Context, bucket, id string) error {
	if _, err := t.Exec(ctx, holdBucket, bucket); err != nil {
		return err
	}
	n, err := t.Exec(ctx, dropConfiguration, bucket, id)
	if err != nil || n == 0 {
		return err
	}
	if _, err := t.Exec(ctx, dropWindowsOf, bucket, id); err != nil {
		return err
	}
	_, err = t.Exec(ctx, shrinkBucket, bucket)
	return err
}

// RemoveBucket implements [inventory.Catalog].
func (c *Catalog) RemoveBucket(ctx context.Context, bucket string) error {
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		for _, text := range []string{dropBucket, dropConfigurationsOf, dropRunsOfBucket, dropStraysOfBucket, dropWindowsOfBucket} {
			if _, err := t.Exec(ctx, text, bucket); err != nil {
				return err
			}
		}
		return nil
	})
	return c.wrap("remove bucket", err)
}

// Buckets implements [inventory.Catalog].
func (c *Catalog) Buckets(ctx context.Context, after string, max int) ([]string, error) {
	var buckets []string
	err := c.db.Rows(ctx, selectBuckets, func(scan Scanner) error {
		var b string
		err := scan(&b)
		buckets = append(buckets, b)
		return err
	}, after, max)
	return buckets, c.wrap("list buckets", err)
}

// CountConfigurations implements [inventory.Catalog].
func (c *Catalog) CountConfigurations(ctx context.Context) (int64, error) {
	n, err := c.number(ctx, selectConfigurationsSum)
	return n, c.wrap("count configurations", err)
}

// Due implements [inventory.Catalog].
func (c *Catalog) Due(ctx context.Context, now time.Time, max int) ([]inventory.Entry, error) {
	entries, err := c.entries(ctx, selectDue, micros(now), max)
	return entries, c.wrap("read what is due", err)
}

// NextWake implements [inventory.Catalog].
func (c *Catalog) NextWake(ctx context.Context) (time.Time, error) {
	n, err := c.number(ctx, selectNextWake)
	return instant(n), c.wrap("read the next due time", err)
}

// SetDue implements [inventory.Catalog].
func (c *Catalog) SetDue(ctx context.Context, entries ...inventory.Entry) error {
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		for i := range entries {
			e := &entries[i]
			n, err := t.Exec(ctx, setDue, e.Bucket, e.Configuration.ID, micros(e.Due), micros(e.Wake), boolInt(e.Suspended))
			if err == nil && n == 0 {
				err = stocktake.ErrNoSuchInventory
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return c.wrap("set due time", err)
}

// SetRetention implements [inventory.Catalog].
func (c *Catalog) SetRetention(ctx context.Context, bucket, id string, r stocktake.Retention) error {
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		n, err := t.Exec(ctx, setRetention, bucket, id, r.Reports, r.Days)
		if err == nil && n == 0 {
			err = stocktake.ErrNoSuchInventory
		}
		return err
	})
	return c.wrap("set retention", err)
}

func (c *Catalog) statuses(ctx context.Context, text string, args ...any) (all []inventory.EntryStatus, err error) {
	err = c.db.Rows(ctx, text, func(scan Scanner) error {
		s, err := c.scanStatus(scan)
		all = append(all, s)
		return err
	}, args...)
	return all, err
}
