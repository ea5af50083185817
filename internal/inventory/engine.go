package inventory

import (
	"context"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// Stores finds the stores that a run reads and writes.
type Stores interface {
	// Source gives where bucket is listed from, and Destination the bucket that
	// cfg names, both with the rights of cfg's role and no more.
	Source(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) (engine.Source, error)
	Destination(ctx context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error)
}

// EngineRunner is the [Runner] of one machine: the engine, in this process.
type EngineRunner struct {
	Stores  Stores
	Options engine.Options // of each run; Progress and Publish are the service's
	Seed    string         // see engine.Job; empty: none
}

var (
	_ Runner = (*EngineRunner)(nil)
	_ Prober = (*EngineRunner)(nil)
)

// Run implements [Runner].
func (e *EngineRunner) Run(ctx context.Context, t Task) (Outcome, error) {
	src, err := e.Stores.Source(ctx, t.Run.Bucket, &t.Configuration)
	if err != nil {
		return Outcome{}, err
	}
	dst, err := e.Stores.Destination(ctx, &t.Configuration)
	if err != nil {
		return Outcome{}, err
	}
	opts := e.Options
	opts.Progress = new(engine.Progress)
	opts.Publish = t.Publish
	t.Follow(opts.Progress.Load)
	result, err := engine.Run(ctx, src, dst, e.job(&t), opts)
	if err != nil {
		return Outcome{}, err
	}
	return outcome(&result), nil
}

// outcome is made of the summary, not of the counters: an attempt that finds the
// report of an earlier one has counted nothing.
func outcome(r *engine.Result) Outcome {
	o := Outcome{Manifest: r.Manifest, Progress: stocktake.Progress{
		Listed: r.Summary.Listed, Matched: r.Summary.Matched, Bytes: r.Summary.Bytes, Shards: len(r.Summary.Files),
	}}
	for _, f := range r.Summary.Files {
		o.Written += f.Size
	}
	return o
}

// Probe implements [Prober].
func (e *EngineRunner) Probe(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	dst, err := e.Stores.Destination(ctx, cfg)
	if err != nil {
		return err
	}
	return engine.Probe(ctx, dst, engine.Job{Run: uuid.NewString(), Bucket: bucket, Configuration: *cfg})
}

// Clean implements [Runner].
func (e *EngineRunner) Clean(ctx context.Context, t Task) error {
	dst, err := e.Stores.Destination(ctx, &t.Configuration)
	if err != nil {
		return err
	}
	return engine.CleanAttempts(ctx, dst, e.job(&t), e.Options)
}

// job is without Queued, which would spare an attempt after the first to look
// at old reports: it trusts that the clocks of this machine and of the source
// agree, and if they do not, a report that an earlier attempt has published is
// not found and loses its shards.
func (e *EngineRunner) job(t *Task) engine.Job {
	return engine.Job{
		Run: t.Run.ID, Attempt: t.Run.Attempt,
		Bucket: t.Run.Bucket, Configuration: t.Configuration, Expected: t.Run.Expected,
		Seed: e.Seed,
	}
}
