package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// An output receives the shards of a slice, one after another.
type output struct {
	*run
	shards *report.ShardWriter
	file   File   // nil: no shard is begun
	key    string // of file
	out    SliceResult

	details details // that the source does not list

	// Of a scan of pages.
	pieceRows int64            // rows of a piece
	results   []SliceResult    // that came before out
	rollups   []*rollup.Rollup // of the ranges of out
	err       error            // why the report cannot be made
	dead      atomic.Bool      // err is set
	ctx       context.Context  // ends this report alone; nil: nothing does
	failed    func(error)      // is called once if the report cannot be made; nil: no callback is made
	start     time.Time        // from which roll-ups count ages
}

// begin begins the first result of a scan of pages.
func (o *output) begin(out SliceResult) { o.out, o.start = out, startOf(&out) }

func (o *output) beginShard(ctx context.Context) (err error) {
	o.key = o.names.shard(o.out.Slice.Number, o.out.Slice.Shards+len(o.out.Files))
	if o.file, err = o.create(ctx, created{key: o.key}, o.opts.Format.ContentType()); err != nil {
		return err
	}
	if err := o.shards.Begin(o.file); err != nil {
		return fmt.Errorf("write %s: %w", o.key, err)
	}
	o.step(ShardCreated)
	return nil
}

func (o *output) endShard(ctx context.Context) error {
	shard, err := o.shards.End()
	if err != nil {
		return fmt.Errorf("write %s: %w", o.key, err)
	}
	if err := o.file.Commit(ctx, shard.Sum); err != nil {
		return fmt.Errorf("commit %s: %w", o.key, err)
	}
	o.file = nil
	shard.Key = o.key
	o.out.Files = append(o.out.Files, shard.SummaryFile)
	o.opts.Progress.shard(shard.Size)
	o.step(ShardCommitted)
	return nil
}

// dropShard drops the unfinished shard, if there is one.
func (o *output) dropShard() {
	if o.file != nil {
		o.shards.Drop()
		o.file.Abort() // the error that brought us here says more
		o.file = nil
	}
}

// newRollup returns a roll-up without records. The slices of a run have the same
// start, except those that a version planned that had no roll-ups.
func (o *output) newRollup(start time.Time) *rollup.Builder {
	cfg := &o.job.Configuration
	return rollup.New(rollup.Options{
		Start: start, Prefix: cfg.Filter.Prefix, Depth: o.opts.RollupDepth,
		Versions: cfg.IncludedObjectVersions == stocktake.AllVersions,
	})
}

// startOf returns the time from which the roll-up of r counts ages.
func startOf(r *SliceResult) time.Time {
	if r.Slice.Start.IsZero() {
		return r.Snapshot
	}
	return r.Slice.Start
}
