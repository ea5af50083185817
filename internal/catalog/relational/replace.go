package relational

import (
	"bytes"
	"context"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/inventoryxml"
)

// ReplaceConfiguration implements [inventory.Catalog].
func (c *Catalog) ReplaceConfiguration(ctx context.Context, r inventory.Replacement, by inventory.Holder) (before []byte, err error) {
	bucket, id := r.Old.Bucket, r.Old.Configuration.ID
	after := string(inventoryxml.Append(nil, &r.New.Configuration))
	err = c.change(ctx, func(ctx context.Context, t tx) (err error) {
		if before, err = c.lockEntry(ctx, t, &r.Old); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, keepDocument, bucket, id, string(before)); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, replaceConfiguration, bucket, id, after, micros(r.New.Created), micros(r.New.Due), micros(r.New.Wake)); err != nil {
			return err
		}
		if err := t.replaceWindows(ctx, &r); err != nil || r.First == nil {
			return err
		}
		if _, found, err := t.unfinished(ctx, bucket, id, stocktake.FullRun); err != nil {
			return err
		} else if found {
			return inventory.ErrRunUnfinished
		}
		return t.addRun(ctx, r.First, by)
	})
	if err != nil {
		return nil, c.wrap("replace configuration", err)
	}
	return before, nil
}

// lockEntry locks a configuration and returns its document. It returns
// inventory.ErrEntryChanged if the configuration has changed since old was read.
func (c *Catalog) lockEntry(ctx context.Context, t tx, old *inventory.Entry) (document []byte, err error) {
	bucket, id := old.Bucket, old.Configuration.ID
	if _, err := t.Exec(ctx, holdConfiguration, bucket, id); err != nil {
		return nil, err
	}
	var now inventory.Entry
	err = t.Rows(ctx, selectConfiguration, func(scan Scanner) (err error) {
		now, err = c.scanEntry(scan)
		return err
	}, bucket, id)
	if err != nil {
		return nil, err
	}
	if now.Bucket == "" {
		return nil, stocktake.ErrNoSuchInventory
	}
	if now.Suspended != old.Suspended || !now.Created.Equal(old.Created) ||
		!bytes.Equal(inventoryxml.Append(nil, &now.Configuration), inventoryxml.Append(nil, &old.Configuration)) {
		return nil, inventory.ErrEntryChanged
	}
	err = t.Rows(ctx, selectDocument, func(scan Scanner) error { return scan(&document) }, bucket, id)
	return document, err
}

func (t tx) replaceWindows(ctx context.Context, r *inventory.Replacement) (err error) {
	switch {
	case r.EndsWindows:
		_, err = t.Exec(ctx, dropWindowsOf, r.Old.Bucket, r.Old.Configuration.ID)
	case r.New.Windows != nil:
		_, err = t.Exec(ctx, addWindows, windowValues(r.New.Windows)...)
	}
	return err
}

// RunConfiguration implements [inventory.Catalog].
func (c *Catalog) RunConfiguration(ctx context.Context, run string) (cfg stocktake.InventoryConfiguration, err error) {
	found := false
	err = c.db.Rows(ctx, selectRunDocument, func(scan Scanner) error {
		found = true
		var document []byte
		if err := scan(&document); err != nil {
			return err
		}
		parsed, err := c.parsed.Get(document)
		if err == nil {
			cfg = parsed.Clone() // the caller may modify it
		}
		return err
	}, run)
	if err == nil && !found {
		err = stocktake.ErrNoSuchInventory
	}
	return cfg, c.wrap("read the configuration of a run", err)
}
