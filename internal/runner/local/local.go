// Package local executes runs in this process, with the engine. Package cluster
// executes them on several machines.
package local

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/window"
	"github.com/stocktake/stocktake/report"
)

// Stores returns the stores that a run reads and writes.
type Stores interface {
	// Source returns the source that lists bucket, and Destination the bucket that
	// cfg names, both with the rights of cfg's role and no more.
	Source(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) (engine.Source, error)
	Destination(ctx context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error)

	// ListingKey identifies how a run of cfg lists a bucket of another store: runs of
	// one bucket for which it is equal may share a listing. It is empty for the
	// embedded store, and if there is no such listing.
	ListingKey(bucket string, cfg *stocktake.InventoryConfiguration) string
}

// A Runner is the [inventory.Runner] of one machine. Its fields are not changed
// once it is used.
type Runner struct {
	Stores  Stores
	Options engine.Options // of each run, except Progress and Record, which the service sets
	Seed    string         // see engine.Job; empty: none

	// Journal has the changes of windows; nil: there are none to be made.
	Journal      window.Journal
	WindowLimits report.Limits // of the files of a window
	EmptyWindows bool          // a window without changes has a manifest
}

var (
	_ inventory.Sharer = (*Runner)(nil)
	_ inventory.Prober = (*Runner)(nil)
)

// Run implements [inventory.Runner].
func (r *Runner) Run(ctx context.Context, t inventory.Task) (inventory.Outcome, error) {
	if t.Window != nil {
		return r.runWindow(ctx, t)
	}
	src, err := r.Stores.Source(ctx, t.Run.Bucket, &t.Configuration)
	if err != nil {
		return inventory.Outcome{}, err
	}
	dst, err := r.Stores.Destination(ctx, &t.Configuration)
	if err != nil {
		return inventory.Outcome{}, err
	}
	result, err := engine.Run(ctx, src, dst, r.job(&t), r.options(&t))
	if err != nil {
		return inventory.Outcome{}, err
	}
	return OutcomeOf(&result), nil
}

// options returns the options of t's run, and makes t follow its progress.
func (r *Runner) options(t *inventory.Task) engine.Options {
	opts := r.Options
	opts.Progress = new(engine.Progress)
	opts.Record = t.Record
	t.Follow(opts.Progress.Load)
	return opts
}

// OutcomeOf returns the outcome of a result of the engine. It comes from the
// summary, not from the counters: an attempt that finds the report of an earlier
// one has counted nothing.
func OutcomeOf(result *engine.Result) inventory.Outcome {
	o := inventory.Outcome{Manifest: result.Manifest, Progress: stocktake.Progress{
		Listed: result.Summary.Listed, Matched: result.Summary.Matched, Bytes: result.Summary.Bytes, Shards: len(result.Summary.Files),
	}}
	for _, f := range result.Summary.Files {
		o.Written += f.Size
	}
	return o
}

// Probe implements [inventory.Prober].
func (r *Runner) Probe(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	src, err := r.Stores.Source(ctx, bucket, cfg)
	if err != nil {
		return err
	}
	dst, err := r.Stores.Destination(ctx, cfg)
	if err != nil {
		return fmt.Errorf("the destination %s cannot be written: %w", cfg.Destination.Bucket, err)
	}
	return engine.Probe(ctx, src, dst, engine.Job{Run: uuid.NewString(), Bucket: bucket, Configuration: *cfg})
}

// Clean implements [inventory.Runner].
func (r *Runner) Clean(ctx context.Context, t inventory.Task) error {
	dst, err := r.Stores.Destination(ctx, &t.Configuration)
	if err != nil {
		return err
	}
	if t.Run.Kind == stocktake.IncrementalRun {
		return window.Clean(ctx, dst, windowJob(&t))
	}
	return engine.CleanAttempts(ctx, dst, r.job(&t), r.Options)
}

// job leaves Queued empty. With it, an attempt after the first would not look at old
// reports. But that trusts that the clocks of this machine and of the source agree:
// if they do not, a report that an earlier attempt has published is not found and
// loses its shards.
func (r *Runner) job(t *inventory.Task) engine.Job {
	return engine.Job{
		Run: t.Run.ID, Attempt: t.Run.Attempt,
		Bucket: t.Run.Bucket, Configuration: t.Configuration, Expected: t.Run.Expected, Recorded: t.Recorded,
		Seed: r.Seed,
	}
}
