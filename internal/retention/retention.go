// Package retention removes from a destination the reports that need not be kept
// and the files that no report names.
//
// It works from what lies in the destination, not from what anybody remembers:
// so it can be stopped at any time and goes on with the next run.
package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/report"
)

// Destinations finds where reports lie.
type Destinations interface {
	// Destination returns the bucket that cfg names, with the rights of cfg's role
	// and no more.
	Destination(ctx context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error)
}

// A Keeper is the [inventory.Tidier] of one machine.
type Keeper struct {
	Stores Destinations
	Strays inventory.StrayCatalog

	Now   func() time.Time // nil: time.Now
	Grace time.Duration    // how long a file may lie that no manifest names; 0: 24 hours
	Log   *slog.Logger     // nil: slog.Default()
}

// Tidy implements [inventory.Tidier].
func (k *Keeper) Tidy(ctx context.Context, e inventory.Entry, suspect bool) error {
	cfg := &e.Configuration
	if e.Retention == (stocktake.Retention{}) && !suspect {
		known, err := k.Strays.HasStrays(ctx, e.Bucket, cfg.ID)
		if err != nil || !known {
			return err
		}
	}
	dst, err := k.Stores.Destination(ctx, cfg)
	if err != nil {
		return err
	}
	t := &tidying{
		keeper: k, entry: &e, dst: dst,
		at:  report.Location{Prefix: cfg.Destination.Prefix, Bucket: e.Bucket, Configuration: cfg.ID},
		log: cmp.Or(k.Log, slog.Default()).With("bucket", e.Bucket, "configuration", cfg.ID),
		now: time.Now().UTC(),
	}
	if k.Now != nil {
		t.now = k.Now()
	}
	return t.tidy(ctx, suspect)
}

// tidying is one pass over one configuration.
type tidying struct {
	keeper *Keeper
	entry  *inventory.Entry
	dst    engine.Destination
	at     report.Location
	log    *slog.Logger
	now    time.Time
}

func (t *tidying) tidy(ctx context.Context, suspect bool) error {
	var directories []report.Directory
	for d, err := range report.Directories(ctx, t.dst, t.at) {
		if err != nil {
			return err
		}
		directories = append(directories, d)
	}
	stay, over := split(directories, t.entry.Retention, t.now)
	if len(over) == 0 && !suspect {
		known, err := t.keeper.Strays.HasStrays(ctx, t.entry.Bucket, t.entry.Configuration.ID)
		if err != nil || !known {
			return err
		}
	}
	// Two reports could name one shard, if their runs were given one seed.
	named, err := t.namedBy(ctx, stay)
	if err != nil {
		return err
	}
	for _, d := range over {
		if err := t.removeReport(ctx, d, named); err != nil {
			return err
		}
	}
	return t.sweep(ctx, directories, named)
}

// split tells the reports that stay from those that go. Of directories without
// a manifest it says nothing.
func split(directories []report.Directory, r stocktake.Retention, now time.Time) (stay, over []report.Directory) {
	oldest := now.UTC().AddDate(0, 0, -r.Days) // no time.Duration holds the most that may be asked for
	for _, d := range slices.Backward(directories) {
		switch {
		case !d.Manifest:
		case len(stay) == 0, r == stocktake.Retention{}, // the newest, and with no rule each
			len(stay) < r.Reports,
			r.Days > 0 && !d.Time.Before(oldest):
			stay = append(stay, d)
		default:
			over = append(over, d)
		}
	}
	return stay, over
}

// removeReport removes a report: its manifest first, so that nobody takes for
// whole what is not. What is left if that is interrupted is found as stray.
func (t *tidying) removeReport(ctx context.Context, d report.Directory, named hashes) error {
	m, err := t.manifest(ctx, d)
	if err != nil {
		return err
	}
	for _, name := range []string{report.ManifestName, report.ChecksumName, report.SummaryName} {
		if err := t.dst.Remove(ctx, d.Key+name); err != nil {
			return fmt.Errorf("remove %s: %w", d.Key+name, err)
		}
	}
	var shards []string
	for _, f := range m.Files {
		if t.isShard(f.Key) && !named.has(f.Key) {
			shards = append(shards, f.Key)
		}
	}
	if err := engine.Remove(ctx, t.dst, shards); err != nil {
		return err
	}
	t.log.Info("report removed, as its time is over", "report", d.Key, "shards", len(shards))
	return nil
}

// maxManifest bounds what is read of a manifest, in bytes: a longer one would not
// be parsed.
const maxManifest = stocktake.MaxManifestSize

func (t *tidying) manifest(ctx context.Context, d report.Directory) (_ *stocktake.Manifest, err error) {
	key := d.Key + report.ManifestName
	body, err := t.dst.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(body, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if len(raw) > maxManifest {
		return nil, fmt.Errorf("read %s: it is larger than %d bytes", key, maxManifest)
	}
	m, err := stocktake.ParseManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w; move it elsewhere if it is not one of a report", key, err)
	}
	return &m, nil
}
