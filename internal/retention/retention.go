// Package retention removes from a destination the reports that need not be kept
// and the files that no report names.
//
// It works from the contents of the destination, without a record of its own, so it can be stopped
// at any time and continues after the next run.
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

// Destinations finds the destinations of reports.
type Destinations interface {
	// Destination returns the bucket that cfg names, with the rights of cfg's role
	// and no more.
	Destination(ctx context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error)
}

// Rights decides what the role of a configuration may do.
type Rights interface {
	// MayRemove returns nil if the role of cfg may remove all the keys from the
	// destination of cfg. Otherwise it returns an error that is
	// stocktake.ErrAccessDenied and names the missing right, or any other error if
	// the decision is not possible.
	MayRemove(ctx context.Context, cfg *stocktake.InventoryConfiguration, keys []string) error
}

// A Remover is the [inventory.ReportRemover] of one machine.
type Remover struct {
	Stores Destinations
	Strays inventory.StrayCatalog
	Rights Rights // nil: each role may remove everything

	Now   func() time.Time // nil: time.Now
	Grace time.Duration    // how long a file without a manifest is kept; 0: 24 hours
	Log   *slog.Logger     // nil: slog.Default()
}

// RemoveReports implements [inventory.ReportRemover].
func (k *Remover) RemoveReports(ctx context.Context, job inventory.RemovalJob) (warnings []string, err error) {
	e := &job.Entry
	cfg := &e.Configuration
	if e.Retention == (stocktake.Retention{}) && !job.Suspect {
		known, err := k.Strays.HasStrays(ctx, e.Bucket, cfg.ID)
		if err != nil || !known {
			return nil, err
		}
	}
	dst, err := k.Stores.Destination(ctx, cfg)
	if err != nil {
		return nil, err
	}
	t := &removal{
		RemovalJob: job,
		remover:    k, dst: dst,
		at:  report.Location{Prefix: cfg.Destination.Prefix, Bucket: e.Bucket, Configuration: cfg.ID},
		log: cmp.Or(k.Log, slog.Default()).With("bucket", e.Bucket, "configuration", cfg.ID),
		now: time.Now().UTC(),
	}
	if k.Now != nil {
		t.now = k.Now().UTC()
	}
	err = t.run(ctx)
	return t.warnings, err
}

// removal is one pass over a configuration's reports.
type removal struct {
	inventory.RemovalJob
	remover  *Remover
	dst      engine.Destination
	at       report.Location
	log      *slog.Logger
	now      time.Time
	warnings []string
}

func (t *removal) run(ctx context.Context) error {
	var directories, own []report.Directory
	for d, err := range report.Directories(ctx, t.dst, t.at) {
		if err != nil {
			return err
		}
		directories = append(directories, d)
	}
	if t.Entry.Retention != (stocktake.Retention{}) {
		for _, d := range directories {
			mine, err := t.belongs(ctx, d)
			if err != nil {
				return err
			}
			if mine {
				own = append(own, d)
			}
		}
	}
	expired := t.expired(own)
	if err := t.removeWindows(ctx, own, expired); err != nil {
		return err
	}
	if len(expired) == 0 && !t.Suspect {
		known, err := t.remover.Strays.HasStrays(ctx, t.Entry.Bucket, t.Entry.Configuration.ID)
		if err != nil || !known {
			return err
		}
	}
	// Two reports can name the same shard if their runs have the same seed.
	named, err := t.keysNamedBy(ctx, slices.DeleteFunc(slices.Clone(directories), func(d report.Directory) bool {
		return !d.Manifest || slices.Contains(expired, d)
	}))
	if err != nil {
		return err
	}
	for _, d := range expired {
		if err := t.removeReport(ctx, d, named); err != nil {
			return err
		}
	}
	return t.removeStrays(ctx, directories, named)
}

// belongs reports whether a directory has a report of the configuration, according to its manifest and
// its summary. Copies or a configuration that shares the folder may have put other reports there.
func (t *removal) belongs(ctx context.Context, d report.Directory) (bool, error) {
	if !d.Manifest || !d.Summary {
		return false, nil
	}
	if mine, err := t.summaryBelongs(ctx, d); err != nil || !mine {
		return false, err
	}
	m, err := t.manifest(ctx, d)
	if err != nil {
		return false, err
	}
	if m.SourceBucket != t.Entry.Bucket || m.DestinationBucket != t.Entry.Configuration.Destination.Bucket {
		t.warn("the report %s is of bucket %s, written for bucket %s: it is kept", d.Key, m.SourceBucket, m.DestinationBucket)
		return false, nil
	}
	return true, nil
}

// summaryBelongs reports whether the summary of a directory says that it is of the
// configuration.
func (t *removal) summaryBelongs(ctx context.Context, d report.Directory) (bool, error) {
	s, err := t.summaryOf(ctx, d)
	return s != nil, err
}

// summaryOf returns the summary of a directory; nil if it is not of the
// configuration, or of any report.
func (t *removal) summaryOf(ctx context.Context, d report.Directory) (*stocktake.Summary, error) {
	key := d.Key + report.SummaryName
	s, err := report.ReadSummary(ctx, t.dst, key)
	if errors.Is(err, report.ErrMalformed) {
		t.warn("%s cannot be read as a summary: its folder is kept", key)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.Bucket != t.Entry.Bucket || s.Configuration != t.Entry.Configuration.ID {
		t.warn("%s is of configuration %s of bucket %s: its folder is kept", key, s.Configuration, s.Bucket)
		return nil, nil
	}
	return s, nil
}

func (t *removal) warn(format string, args ...any) {
	t.warnings = append(t.warnings, fmt.Sprintf(format, args...))
}

// tolerance is how far a report may be ahead of the clock without being dated in the future: runs
// that start in the same minute use the following minutes.
const tolerance = time.Hour

// expired returns the expired reports. It never returns the report of the run that RemoveReports follows, or a
// report dated in the future: those come from a clock that was ahead, and are neither counted nor
// removed until that time.
func (t *removal) expired(own []report.Directory) (expired []report.Directory) {
	rule := t.Entry.Retention
	if rule == (stocktake.Retention{}) {
		return nil
	}
	oldest := t.now.AddDate(0, 0, -rule.Days) // a time.Duration cannot hold the largest valid number of days
	kept, future := 0, 0
	for _, d := range slices.Backward(own) {
		if d.Time.After(t.now.Add(tolerance)) {
			if future++; future == 1 {
				t.warn("the report %s is dated in the future, because the clock was ahead; it is kept until then", d.Key)
			}
			continue
		}
		if kept == 0 || kept < rule.Reports || rule.Days > 0 && !d.Time.Before(oldest) {
			kept++
			continue
		}
		if d.Key+report.ManifestName != t.Manifest {
			expired = append(expired, d)
		}
	}
	return expired
}

// mayRemove checks that the configuration's role may remove the keys: retention
// acts for the account that put the configuration, not for the service.
func (t *removal) mayRemove(ctx context.Context, keys []string) error {
	if t.remover.Rights == nil || len(keys) == 0 {
		return nil
	}
	return t.remover.Rights.MayRemove(ctx, &t.Entry.Configuration, keys)
}

// removeReport removes a report: its manifest first, so that no reader takes an incomplete report
// for a whole one. Files left by an interruption are found as strays.
func (t *removal) removeReport(ctx context.Context, d report.Directory, named keySet) error {
	m, err := t.manifest(ctx, d)
	if err != nil {
		return err
	}
	var shards []string
	for _, f := range m.Files {
		if t.isShard(f.Key) && !named.has(f.Key) {
			shards = append(shards, f.Key)
		}
	}
	about := []string{d.Key + report.ManifestName, t.at.Symlink(d.Time), d.Key + report.ChecksumName, d.Key + report.RollupName, d.Key + report.SummaryName}
	if err := t.mayRemove(ctx, slices.Concat(about, shards)); err != nil {
		return err // no file has been removed yet
	}
	for _, key := range about {
		if err := t.dst.Remove(ctx, key); err != nil {
			return fmt.Errorf("remove %s: %w", key, err)
		}
	}
	if err := engine.Remove(ctx, t.dst, shards); err != nil {
		return err
	}
	t.log.Info("removed an expired report", "report", d.Key, "shards", len(shards))
	return nil
}

// maxManifest bounds a manifest that is read, in bytes. A longer one could not be
// parsed.
const maxManifest = stocktake.MaxManifestSize

func (t *removal) manifest(ctx context.Context, d report.Directory) (_ *stocktake.Manifest, err error) {
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
		return nil, fmt.Errorf("read %s: %w; move it elsewhere if it is not the manifest of a report", key, err)
	}
	return &m, nil
}
